package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/sealgate/sealgate/rego"
)

// entrypoint is the one rule that is asked.
const entrypoint = "data.sealgate.main.decision"

// compile compiles library and site. Modules are parsed with their file names and
// annotations; the input schema is the root schema of every module, so that a misspelt
// field is a load error.
func compile(s sources) (*ast.Compiler, error) {
	modules, err := parse("rego/", s.library)
	if err != nil {
		return nil, err
	}
	site, err := parse("", s.site)
	if err != nil {
		return nil, err
	}
	if err := checkSite(site); err != nil {
		return nil, err
	}
	maps.Copy(modules, site)
	return compileModules(modules)
}

// compileModules compiles strictly, with the input schema for every module.
func compileModules(modules map[string]*ast.Module) (*ast.Compiler, error) {
	compiler, err := newCompiler()
	if err != nil {
		return nil, err
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

func newCompiler() (*ast.Compiler, error) {
	schemas, err := schemaSet()
	if err != nil {
		return nil, err
	}
	return ast.NewCompiler().
		WithStrict(true).
		WithCapabilities(capabilities()).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true), nil
}

// prepare makes the entrypoint ready to be asked. There is no data.
func prepare(ctx context.Context, compiler *ast.Compiler) (oparego.PreparedEvalQuery, error) {
	return oparego.New(
		oparego.Query(entrypoint),
		oparego.Compiler(compiler),
		oparego.Store(inmem.NewFromObjectWithOpts(map[string]any{}, inmem.OptReturnASTValuesOnRead(true))),
		oparego.GenerateJSON(func(t *ast.Term, _ *oparego.EvalContext) (any, error) { return t.Value, nil }),
	).PrepareForEval(ctx)
}

func parse(prefix string, list []source) (map[string]*ast.Module, error) {
	modules := make(map[string]*ast.Module, len(list))
	var errs []error
	for _, f := range list {
		name := prefix + f.name
		module, err := ast.ParseModuleWithOpts(name, string(f.data), ast.ParserOptions{
			ProcessAnnotation: true,
			RegoVersion:       ast.RegoV1,
			Capabilities:      capabilities(),
		})
		switch {
		case err != nil:
			errs = append(errs, err)
		case module == nil:
			errs = append(errs, fmt.Errorf("%s: the file is empty", name))
		default:
			modules[name] = module
		}
	}
	return modules, errors.Join(errs...)
}

func schemaSet() (*ast.SchemaSet, error) {
	data, err := fs.ReadFile(rego.FS(), "schemas/input.json")
	if err != nil {
		return nil, err
	}
	var schema any
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, fmt.Errorf("schemas/input.json: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	// The name by which an annotation may ask for it again.
	set.Put(ast.MustParseRef("schema.input"), schema)
	return set, nil
}

// withheld are built-in functions a policy cannot use beside those that OPA itself
// marks as nondeterministic: they reach out of the evaluation or differ from one
// evaluation to the next. The two of crypto.x509 look at the clock: a certificate is
// verified for the present moment unless another is given.
var withheld = []string{
	"http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "uuid.rfc4122", "time.now_ns", "trace",
	"crypto.x509.parse_and_verify_certificates", "crypto.x509.parse_and_verify_certificates_with_options",
}

// deterministic reports whether a built-in function depends on its arguments alone.
func deterministic(b *ast.Builtin) bool {
	return !b.Nondeterministic && !slices.Contains(withheld, b.Name)
}

// capabilities is what a policy may use: no network, no clock, no chance, so that a
// decision is a function of its input.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool {
		return !deterministic(b)
	})
	c.AllowNet = []string{}
	return c
}
