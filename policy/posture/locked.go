package posture

import "strings"

// Locked reports whether findings of a rule always deny: no action, exception,
// break-glass window or enforcement changes that. They say that a request could not be
// judged, is not who it says, has no grant, or would be stored otherwise than required.
// rego/main holds the same list; a test compares the two.
func Locked(rule string) bool {
	switch rule {
	case "ENC-000", "ENC-001", "GRT-000", "AUT-001", "AUT-002":
		return true
	}
	return strings.HasPrefix(rule, "EVL-") || strings.HasPrefix(rule, "ENF-")
}
