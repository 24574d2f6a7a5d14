package s3

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// Scope says what an operation addresses.
type Scope uint8

// Scopes. ScopeAny is for OPTIONS, which may address anything.
const (
	ScopeService Scope = iota
	ScopeBucket
	ScopeObject
	ScopeAny
)

// String returns "service", "bucket", "object" or "any".
func (s Scope) String() string {
	switch s {
	case ScopeService:
		return "service"
	case ScopeBucket:
		return "bucket"
	case ScopeObject:
		return "object"
	}
	return "any"
}

// Class groups operations by what policy must care about.
type Class string

// Classes of operations.
const (
	ClassRead         Class = "read"          // reads object data or metadata
	ClassWrite        Class = "write"         // stores object data, or fixes or changes its encryption
	ClassDelete       Class = "delete"        // removes objects, uploads, annotations
	ClassList         Class = "list"          // names things
	ClassObjectConfig Class = "object-config" // changes tags, ACL, retention, legal hold; restores
	ClassBucketConfig Class = "bucket-config" // reads or changes a bucket or one of its sub-resources
	ClassAdmin        Class = "admin"         // sessions, CORS preflight, everything else
)

// Body says what the request body is.
type Body uint8

// Kinds of request body.
const (
	BodyNone     Body = iota // no body is defined
	BodyDocument             // XML or JSON, read before deciding, at most MaxDocument bytes
	BodyObject               // object data, streamed
	BodyForm                 // multipart/form-data whose file part is object data
)

// Term is a condition on a query key or header: present, and equal to Value
// unless Value is empty.
type Term struct{ Name, Value string }

// Operation is one row of the operation table. Rows are shared and must not be
// modified.
type Operation struct {
	Name   string // as in the SDK model, "PutObject"
	Method string
	Scope  Scope
	Class  Class
	Body   Body

	Require        []Term   // query keys that must be present
	RequireHeaders []Term   // headers that tell the operation from others, lower-case
	Optional       []string // further query keys allowed

	// Headers holds the x-amz-* request headers the SDK model binds for this
	// operation, lower-case. "x-amz-meta-" stands for all user metadata.
	Headers map[string]bool

	Action           string   // IAM action, "s3:PutObject"; empty for OptionsPreflight
	ReadOnly         bool     // changes nothing upstream
	ChecksumRequired bool     // S3 wants Content-MD5 or a checksum on the body
	ErrorIn200       bool     // a 200 reply may hold an <Error> document
	AWSOnly          bool     // a store that does not know it would take it for another operation
	Refused          string   // not empty: recognised, answered 501 with this sentence
	Aliases          []string // deprecated names for the same request

	accepts    map[string]acceptance // x-amz-* headers by canonical name, user metadata aside
	headerKeys []string              // canonical names of RequireHeaders
}

// binding is what the SDK model says of an operation; see model_gen.go.
type binding struct {
	method, path string
	fixed        []Term
	query        []string
	headers      []string
}

// operations is the table, sorted by name. byName adds the aliases; byRoute
// holds the rows that can match a request.
var (
	operations = buildOperations()
	byName     = indexNames(operations)
	byRoute    = indexRoutes(operations)
)

// Operations returns the whole table, sorted by name. Do not modify it.
func Operations() []*Operation { return operations }

// Lookup returns the operation of this name. Deprecated names ("PutBucketLifecycle")
// give the operation that replaced them.
func Lookup(name string) (*Operation, bool) {
	op, ok := byName[name]
	return op, ok
}

func buildOperations() []*Operation {
	var ops []*Operation
	for _, family := range [][]Operation{objectOperations, bucketOperations, configOperations} {
		for i := range family {
			op := &family[i]
			op.Headers = make(map[string]bool)
			for _, h := range model[op.Name].headers {
				if strings.HasPrefix(h, amzPrefix) {
					op.Headers[h] = true
				}
			}
			for _, t := range op.RequireHeaders {
				op.headerKeys = append(op.headerKeys, http.CanonicalHeaderKey(t.Name))
			}
			op.accepts = acceptedHeaders(op)
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b *Operation) int { return cmp.Compare(a.Name, b.Name) })
	return ops
}

func indexNames(ops []*Operation) map[string]*Operation {
	m := make(map[string]*Operation, len(ops))
	for _, op := range ops {
		m[op.Name] = op
		for _, alias := range op.Aliases {
			m[alias] = op
		}
	}
	return m
}

// route is what a request line says before its query is read.
type route struct {
	method string
	scope  Scope
}

func indexRoutes(ops []*Operation) map[route][]*Operation {
	m := make(map[route][]*Operation)
	for _, op := range ops {
		r := route{op.Method, op.Scope}
		m[r] = append(m[r], op)
	}
	return m
}
