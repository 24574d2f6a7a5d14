package s3

import (
	"net/http"
	"strings"
)

// subresources are the query keys that choose an operation somewhere in the
// table. They are never passed over in silence.
var subresources = indexSubresources(operations)

func indexSubresources(ops []*Operation) map[string]bool {
	m := make(map[string]bool)
	for _, op := range ops {
		for _, t := range op.Require {
			m[t.Name] = true
		}
	}
	return m
}

// valued are the required query keys that carry a value; all others are flags.
func valued(name string) bool {
	switch name {
	case "annotationName", "id", "partNumber", "uploadId":
		return true
	}
	return false
}

// classify returns the one operation the request can mean. Among the rows of
// its method and scope whose discriminators are all present the one with most
// of them wins; a tie, or a discriminator that is left over, is an error.
func (r *Request) classify(scope Scope) (*Operation, error) {
	if r.Method == http.MethodOptions {
		return r.classifyPreflight()
	}
	var best *Operation
	most, tied := -1, false
	for _, op := range byRoute[route{r.Method, scope}] {
		n := len(op.Require) + len(op.RequireHeaders)
		if n < most || !r.meets(op) {
			continue
		}
		tied = n == most
		best, most = op, n
	}
	switch {
	case best == nil:
		return nil, r.noOperation(scope)
	case tied && !hostDecides(best):
		return nil, r.conflicting()
	case tied:
		best, _ = Lookup("ListBuckets")
	}
	if err := r.checkQuery(best, scope); err != nil {
		return nil, err
	}
	if reason := r.refusal(); reason != "" && best.Refused == "" {
		refused := *best
		refused.Refused = reason
		return &refused, nil
	}
	return best, nil
}

// hostDecides reports the one pair that is the same on the wire. Hosts that
// speak for directory buckets were refused before.
func hostDecides(op *Operation) bool {
	return op.Name == "ListBuckets" || op.Name == "ListDirectoryBuckets"
}

// meets reports whether all discriminators of op are present.
func (r *Request) meets(op *Operation) bool {
	for _, t := range op.Require {
		if v, ok := r.Query.Get(t.Name); !ok || t.Value != "" && v != t.Value {
			return false
		}
	}
	for i, t := range op.RequireHeaders {
		values, ok := r.Header[op.headerKeys[i]]
		if !ok || t.Value != "" && !mediaType(values[0], t.Value) {
			return false
		}
	}
	return true
}

// mediaType compares a Content-Type without its parameters.
func mediaType(value, want string) bool {
	value, _, _ = strings.Cut(value, ";")
	return strings.EqualFold(strings.TrimSpace(value), want)
}

// classifyPreflight recognises a CORS preflight. Browsers repeat the query of
// the request to come, so the query is not checked.
func (r *Request) classifyPreflight() (*Operation, error) {
	op, _ := Lookup("OptionsPreflight")
	if !r.meets(op) {
		return nil, ErrBadRequest.WithMessage("Insufficient information. Origin request header needed.")
	}
	return op, nil
}

// checkQuery refuses every key that op does not know.
func (r *Request) checkQuery(op *Operation, scope Scope) error {
	signed := presigned(r.Query)
	for i := range r.Query {
		p := &r.Query[i]
		if r.repeats(i) {
			return ErrInvalidArgument.WithMessage("A query parameter is present more than once.").With("ArgumentName", printable(p.Name))
		}
		if isAuthKey(p.Name) || isIgnorable(p.Name) {
			continue
		}
		// Form decoders read "+" as a space and ";" as a separator.
		if strings.ContainsAny(p.RawName, "+;") || strings.ContainsAny(p.RawValue, "+;") {
			return ErrInvalidArgument.WithMessage(`The characters "+" and ";" must be percent-encoded in the query string.`).
				With("ArgumentName", printable(p.Name))
		}
		switch {
		case op.requires(p.Name):
			if err := checkRequired(op, p); err != nil {
				return err
			}
		case op.allows(p.Name):
		case isHoistedKey(p.Name, signed) && !misspeltAuthKey(p.Name):
		default:
			return r.leftOver(p.Name, scope)
		}
	}
	return nil
}

// repeats reports an earlier key of the same name as the i-th. Case does not
// count where a key becomes a header.
func (r *Request) repeats(i int) bool {
	for j := range i {
		a, b := r.Query[j].Name, r.Query[i].Name
		if a == b || isAmzKey(b) && strings.EqualFold(a, b) {
			return true
		}
	}
	return false
}

func (op *Operation) requires(name string) bool {
	for _, t := range op.Require {
		if t.Name == name {
			return true
		}
	}
	return false
}

func (op *Operation) allows(name string) bool {
	for _, o := range op.Optional {
		if o == name {
			return true
		}
	}
	return false
}

// checkRequired refuses a flag with a value ("?acl=x": some stores then see a
// plain object request) and a valued key without one.
func checkRequired(op *Operation, p *Pair) error {
	switch {
	case valued(p.Name) && p.Value == "":
		return ErrInvalidArgument.Messagef("The parameter %s must not be empty.", p.Name).With("ArgumentName", p.Name)
	case valued(p.Name), p.Value == "":
		return nil
	}
	for _, t := range op.Require {
		if t.Name == p.Name && t.Value == p.Value {
			return nil
		}
	}
	return ErrInvalidArgument.Messagef("The sub-resource %s does not take a value.", p.Name).
		With("ArgumentName", p.Name).With("ArgumentValue", printable(p.Value))
}

// leftOver is the answer to a query key the chosen operation does not know.
// The first three texts are S3's own.
func (r *Request) leftOver(name string, scope Scope) error {
	switch {
	case r.Method == http.MethodGet && scope == ScopeObject && name == "uploads":
		return ErrInvalidRequest.WithMessage("Key is not expected for the GET method ?uploads subresource")
	case r.Method == http.MethodGet && scope == ScopeObject && name == "versions":
		return ErrInvalidRequest.WithMessage("There is no such thing as the ?versions sub-resource for a key")
	case r.Method == http.MethodGet && scope == ScopeObject && name == "attributes":
		return ErrInvalidRequest.WithMessage("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	case subresources[name]:
		return ErrInvalidArgument.WithMessage("Conflicting or incomplete query string parameters.").With("ArgumentName", name)
	}
	return ErrInvalidArgument.WithMessage("This query string parameter is not supported.").With("ArgumentName", printable(name))
}

// conflicting is the answer when two operations fit equally well.
func (r *Request) conflicting() error {
	e := ErrInvalidArgument.WithMessage("Conflicting query string parameters or headers: the request names more than one operation.")
	for i := range r.Query {
		if subresources[r.Query[i].Name] {
			e = e.With("ArgumentName", r.Query[i].Name)
		}
	}
	return e
}

// noOperation is the answer when no row fits the method and scope.
func (r *Request) noOperation(scope Scope) error {
	if r.Method == http.MethodPost && scope == ScopeBucket && len(r.Query) == 0 {
		return ErrPreconditionFailed.WithMessage("Bucket POST must be of the enclosure-type multipart/form-data").
			With("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	}
	return ErrMethodNotAllowed.With("Method", printable(r.Method)).With("ResourceType", strings.ToUpper(scope.String()))
}

// refusal returns why a recognised request cannot be served, or "".
func (r *Request) refusal() string {
	if _, ok := r.Header["X-Amz-Write-Offset-Bytes"]; ok {
		return "Appending to objects is not supported."
	}
	if _, ok := r.Header["X-Amz-S3session-Token"]; ok {
		return "S3 Express sessions are not supported."
	}
	return ""
}
