package engine

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/sealgate/sealgate/policy"
)

// protections read the documents that open a bucket or that suspend what keeps
// objects from being lost, by operation. A document they do not understand does
// both that it could: the store may understand it.
var protections = map[string]func(in *policy.Document, data []byte){
	"PutBucketPolicy":                 func(d *policy.Document, data []byte) { d.Opens = policyOpens(data) },
	"PutPublicAccessBlock":            func(d *policy.Document, data []byte) { d.Opens = accessBlockOpens(readTree(data)) },
	"PutBucketVersioning":             func(d *policy.Document, data []byte) { d.Suspends = versioningSuspends(readTree(data)) },
	"PutObjectLockConfiguration":      func(d *policy.Document, data []byte) { d.Suspends = lockSuspends(readTree(data)) },
	"PutBucketLifecycleConfiguration": func(d *policy.Document, data []byte) { d.Suspends = lifecycleSuspends(readTree(data)) },
	"PutObjectLegalHold":              func(d *policy.Document, data []byte) { d.Suspends = holdSuspends(readTree(data)) },
	"PutObjectRetention":              func(d *policy.Document, data []byte) { d.Suspends = retentionSuspends(readTree(data)) },
}

// describeProtection adds what a document does to the protection of a bucket or
// of an object.
func describeProtection(in *policy.Input, operation string, data []byte) {
	read, ok := protections[operation]
	if !ok {
		return
	}
	in.Document.Present = true
	in.Document.Kind = strings.TrimPrefix(operation, "Put")
	read(&in.Document, data)
}

// accessBlockOpens: all four protections must be said to be on, each once.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PublicAccessBlockConfiguration.html
func accessBlockOpens(t *tree) bool {
	for _, name := range []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"} {
		if !t.says(name, "true") {
			return true
		}
	}
	return false
}

// versioningSuspends: a document that does not switch versioning on, or that
// switches the second factor for deletes off.
func versioningSuspends(t *tree) bool {
	return !t.says("Status", "Enabled") || t.count("MfaDelete") > 0 && !t.says("MfaDelete", "Enabled")
}

// lockSuspends: without a rule with a retention nothing new is locked.
func lockSuspends(t *tree) bool {
	return !t.says("ObjectLockEnabled", "Enabled") || t.count("Mode") != 1 || t.count("Days")+t.count("Years") != 1
}

// lifecycleSuspends: any rule that deletes objects or versions, also one that is
// switched off for now. To remove markers behind which there is nothing left,
// or uploads that were given up, is no deleting. Names other than Expiration are
// of stores that have more kinds.
func lifecycleSuspends(t *tree) bool {
	if t == nil {
		return true
	}
	suspends := false
	t.walk(func(e *tree) {
		if !strings.HasSuffix(strings.ToLower(e.name), "expiration") {
			return
		}
		if len(e.children) != 1 || !strings.EqualFold(e.children[0].name, "ExpiredObjectDeleteMarker") {
			suspends = true
		}
	})
	return suspends
}

// holdSuspends: anything but a hold that is on.
func holdSuspends(t *tree) bool { return !t.says("Status", "ON") }

// retentionSuspends: without a mode and a date an object's retention ends.
func retentionSuspends(t *tree) bool {
	return t.count("Mode") != 1 || t.count("RetainUntilDate") != 1
}

// tree is an XML element with what is in it.
type tree struct {
	name     string // without name space
	text     string
	children []*tree
}

// readTree reads a document that [checkDocument] let pass, which bounds its size
// and depth; nil if there is none.
func readTree(data []byte) *tree {
	d := xml.NewDecoder(bytes.NewReader(data))
	root := &tree{}
	open := []*tree{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(root.children) == 1 {
			return root.children[0]
		}
		if err != nil {
			return nil
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := &tree{name: t.Name.Local}
			last.children = append(last.children, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text += string(t)
		}
	}
}

func (t *tree) walk(visit func(*tree)) {
	visit(t)
	for _, c := range t.children {
		c.walk(visit)
	}
}

// count is how many elements of that name, in any case, there are anywhere.
func (t *tree) count(name string) int {
	n := 0
	if t != nil {
		t.walk(func(e *tree) {
			if strings.EqualFold(e.name, name) {
				n++
			}
		})
	}
	return n
}

// says whether there is one element of that name, and it has that text.
func (t *tree) says(name, text string) bool {
	if t.count(name) != 1 {
		return false
	}
	said := false
	t.walk(func(e *tree) {
		if strings.EqualFold(e.name, name) {
			said = len(e.children) == 0 && strings.EqualFold(strings.TrimSpace(e.text), text)
		}
	})
	return said
}

// policyOpens reports whether a bucket policy may allow somebody it does not
// name: a statement that is not plainly a denial, with a principal that has a
// wildcard, or with NotPrincipal. A condition does not close it, since what it
// asks of a request is not seen here. Names of elements are taken in any case
// and repeated ones all count, because readers of JSON differ in that.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func policyOpens(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return true
	}
	opens, err := policyObject(d, maxPolicyDepth)
	if err != nil {
		return true
	}
	_, err = d.Token()
	return opens || !errors.Is(err, io.EOF)
}

// maxPolicyDepth is how deep the values of a policy may stand in each other.
const maxPolicyDepth = 32

var errPolicyDepth = errors.New("the policy is nested too deeply")

// policyValue reads one value and reports whether a statement in it opens.
func policyValue(d *json.Decoder, depth int) (opens bool, err error) {
	token, err := d.Token()
	if err != nil {
		return false, err
	}
	if depth == 0 {
		return false, errPolicyDepth
	}
	switch token {
	case json.Delim('['):
		for d.More() {
			inner, err := policyValue(d, depth-1)
			if err != nil {
				return false, err
			}
			opens = opens || inner
		}
	case json.Delim('{'):
		return policyObject(d, depth)
	default:
		return false, nil
	}
	_, err = d.Token()
	return opens, err
}

// policyObject reads an object after its brace; it may be a statement.
func policyObject(d *json.Decoder, depth int) (opens bool, err error) {
	effects, denies, anyone := 0, 0, false
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return false, err
		}
		name, _ := token.(string)
		switch strings.ToLower(name) {
		case "effect":
			var effect any
			if err := d.Decode(&effect); err != nil {
				return false, err
			}
			effects++
			if effect == "Deny" {
				denies++
			}
		case "principal":
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return false, err
			}
			wild, err := hasWildcard(raw)
			if err != nil {
				return false, err
			}
			anyone = anyone || wild
		case "notprincipal":
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return false, err
			}
			anyone = true
		default:
			inner, err := policyValue(d, depth-1)
			if err != nil {
				return false, err
			}
			opens = opens || inner
		}
	}
	plainly := effects == 1 && denies == 1
	_, err = d.Token()
	return opens || anyone && !plainly, err
}

// hasWildcard reports whether a text in a value has a character that stands for
// others.
func hasWildcard(raw json.RawMessage) (bool, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if s, ok := token.(string); ok && strings.ContainsAny(s, "*?") {
			return true, nil
		}
	}
}
