package posture

// What comes of a finding.
const (
	ActionDeny  = "deny"  // the request is refused
	ActionWarn  = "warn"  // the client is told in a header, and the decision record
	ActionAudit = "audit" // the decision record is told
	ActionOff   = "off"   // nobody is told
)

// How findings are acted upon where nothing else is said.
const (
	EnforcementEnforce = "enforce"
	EnforcementWarn    = "warn"  // what would be refused is a warning
	EnforcementAudit   = "audit" // what would be refused is recorded
)

// What lifts a finding. A waiver that has ended lifts nothing.
const (
	WaiverException  = "exception"
	WaiverBreakGlass = "break-glass"
	WaiverEnded      = "ended"
)

// What presigned URLs may be used for.
const (
	PresignAll  = "all"
	PresignRead = "read"
	PresignNone = "none"
)

// Whether objects may be deleted.
const (
	DeletesAllow = "allow"
	DeletesDeny  = "deny"
)

// What is demanded of checksums and client certificates.
const (
	Required       = "required"
	ChecksumStrong = "strong" // required, and of an algorithm that resists forgery
)
