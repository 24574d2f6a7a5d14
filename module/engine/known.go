package engine

import (
	"slices"

	"github.com/sealgate/sealgate/module/s3"
)

// KnownValues are what requests can have in fields of the policy input that its schema
// leaves open, by the path of the field. "" is what a policy sees where nothing is known.
func KnownValues() map[string][]string {
	operations, actions := []string{""}, []string{""}
	for _, op := range s3.Operations() {
		operations = append(operations, op.Name)
		if !slices.Contains(actions, op.Action) {
			actions = append(actions, op.Action)
		}
	}
	return map[string][]string{
		"request.operation": operations,
		"request.action":    actions,
		"request.method":    {"", "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"},
	}
}
