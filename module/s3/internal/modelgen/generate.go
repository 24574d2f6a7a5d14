package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const sdkModule = "github.com/aws/aws-sdk-go-v2/service/s3"

// sdkDir returns the folder of the SDK's S3 client in the module cache.
func sdkDir() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", sdkModule).Output()
	if err != nil {
		return "", fmt.Errorf("locating %s: %w", sdkModule, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("locating %s: not in the module cache", sdkModule)
	}
	return dir, nil
}

// operation is what one serializer says of its request.
type operation struct {
	method, path string
	fixed        map[string]string // query names in the URI template; "" = no value
	query        map[string]bool   // bound query names
	headers      map[string]bool   // bound headers, lower-case; a trailing "-" marks a prefix
}

// generate returns the formatted text of model_gen.go for the SDK in dir.
func generate(dir string) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "serializers.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parsing serializers: %w", err)
	}
	ops := make(map[string]*operation)
	get := func(name string) *operation {
		if ops[name] == nil {
			ops[name] = &operation{fixed: map[string]string{}, query: map[string]bool{}, headers: map[string]bool{}}
		}
		return ops[name]
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if name, ok := serializerOf(fn); ok {
			if err := get(name).readSerializer(fn); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if name, ok := cutAround(fn.Name.Name, "awsRestxml_serializeOpHttpBindings", "Input"); ok {
			if err := get(name).readBindings(fn); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if len(ops) == 0 {
		return nil, fmt.Errorf("no operation found in %s", dir)
	}
	return render(ops)
}

// serializerOf recognises the HandleSerialize method of an operation.
func serializerOf(fn *ast.FuncDecl) (string, bool) {
	if fn.Name.Name != "HandleSerialize" || fn.Recv == nil {
		return "", false
	}
	recv, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return "", false
	}
	id, ok := recv.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	return cutAround(id.Name, "awsRestxml_serializeOp", "")
}

func cutAround(s, prefix, suffix string) (string, bool) {
	s, ok1 := strings.CutPrefix(s, prefix)
	s, ok2 := strings.CutSuffix(s, suffix)
	return s, ok1 && ok2
}

// readSerializer takes the method and the URI template.
func (o *operation) readSerializer(fn *ast.FuncDecl) error {
	var err error
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if called(n) == "SplitURI" {
				err = o.readTemplate(text(n.Args[0]))
			}
		case *ast.AssignStmt:
			if sel, ok := n.Lhs[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "Method" {
				o.method = text(n.Rhs[0])
			}
		}
		return err == nil
	})
	if err == nil && (o.method == "" || o.path == "") {
		err = fmt.Errorf("no method or URI template")
	}
	return err
}

// readTemplate splits a template such as "/{Key+}?select&select-type=2". The
// SDK's own marker x-id is left out.
func (o *operation) readTemplate(uri string) error {
	path, query, _ := strings.Cut(uri, "?")
	o.path = path
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("reading template %q: %w", uri, err)
	}
	for name, v := range values {
		if name != "x-id" {
			o.fixed[name] = v[0]
		}
	}
	return nil
}

// readBindings takes query and header names. Headers are named through a local
// variable that is assigned just before it is used.
func (o *operation) readBindings(fn *ast.FuncDecl) error {
	var err error
	location := ""
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if id, ok := n.Lhs[0].(*ast.Ident); ok && id.Name == "locationName" {
				location = text(n.Rhs[0])
			}
		case *ast.CallExpr:
			switch called(n) {
			case "SetQuery", "AddQuery":
				o.query[text(n.Args[0])] = true
			case "SetHeader", "AddHeader":
				if id, ok := n.Args[0].(*ast.Ident); ok && id.Name == "locationName" {
					if location == "" {
						err = fmt.Errorf("header without a name")
					}
					o.headers[strings.ToLower(location)] = true
				}
			case "Headers":
				o.headers[strings.ToLower(text(n.Args[0]))] = true
			}
		}
		return err == nil
	})
	return err
}

// called returns the method or function name of a call, or "".
func called(call *ast.CallExpr) string {
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		return sel.Sel.Name
	}
	return ""
}

// text returns the value of a string literal, or "".
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

func render(ops map[string]*operation) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// Code generated by modelgen from " + sdkModule + "; DO NOT EDIT.\n\npackage s3\n\n")
	b.WriteString("// model is what the SDK model says of each operation.\nvar model = map[string]binding{\n")
	for _, name := range slices.Sorted(maps.Keys(ops)) {
		o := ops[name]
		if o.method == "" {
			return nil, fmt.Errorf("%s: bindings without a serializer", name)
		}
		fmt.Fprintf(&b, "%q: {\nmethod: %q, path: %q,\n", name, o.method, o.path)
		if len(o.fixed) > 0 {
			b.WriteString("fixed: []Term{")
			for _, q := range slices.Sorted(maps.Keys(o.fixed)) {
				fmt.Fprintf(&b, "{%q, %q},", q, o.fixed[q])
			}
			b.WriteString("},\n")
		}
		list(&b, "query", o.query)
		list(&b, "headers", o.headers)
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

func list(b *bytes.Buffer, field string, names map[string]bool) {
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(b, "%s: []string{", field)
	for i, n := range slices.Sorted(maps.Keys(names)) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%q", n)
	}
	b.WriteString("},\n")
}
