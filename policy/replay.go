package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ReadInput reads an input document (sealgate.input/v1), such as the one in a decision
// record. It is strict: a field the schema does not have is an error, because a rule
// that reads it would see nothing. Fields that are missing have their neutral values.
func ReadInput(document []byte) (*Input, error) {
	in := new(Input)
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		return nil, fmt.Errorf("reading an input document: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading an input document: something follows it")
	}
	if in.Schema != InputSchema {
		return nil, fmt.Errorf("reading an input document: schema is %q, not %q", in.Schema, InputSchema)
	}
	return in, nil
}

// Trial is how Replay decides.
type Trial struct {
	// Adjust, if set, changes a complete input before it is asked about. It is the way
	// to try a posture or grants other than those of the Generation: Decide fills in
	// both. Fields it changes must fit the schema.
	Adjust func(*Input)
	// Trace, if set, gives a tracer for the evaluation of an input, which has every
	// rule entered and every one of its answers looked for. It is called once for each
	// name that the request is decided under, with the complete input.
	Trace func(*Input) topdown.QueryTracer
}

// Replay decides an input apart from traffic, as Decide does: it fills in the same
// fields, holds the same floors and gives the same faults. No answer comes from
// memory or goes into it, and it may take as long as ctx lets it.
func (g *Generation) Replay(ctx context.Context, in *Input, t Trial) (Decision, error) {
	if g == nil {
		return Decision{}, fault(FaultNotLoaded, errNotLoaded)
	}
	if err := in.check(); err != nil {
		return Decision{}, err
	}
	d, err := g.replay(ctx, in, t)
	if err != nil {
		return Decision{}, err
	}
	if other, ok := in.alias(); ok {
		o, err := g.replay(ctx, other, t)
		if err != nil {
			return Decision{}, err
		}
		d.agree(o, other.Resource.Key)
	}
	d.Revision = g.revision
	return d, nil
}

// replay decides under the names in has.
func (g *Generation) replay(ctx context.Context, in *Input, t Trial) (Decision, error) {
	g.fill(in)
	if t.Adjust != nil {
		t.Adjust(in)
	}
	var options []oparego.EvalOption
	if t.Trace != nil {
		options = []oparego.EvalOption{
			oparego.EvalQueryTracer(t.Trace(in)), oparego.EvalRuleIndexing(false), oparego.EvalEarlyExit(false),
		}
	}
	result, err := evaluate(ctx, g.query, in.Value(), probeTimeout, options...)
	if err != nil {
		return Decision{}, err
	}
	d, err := decode(result)
	if err != nil {
		return Decision{}, err
	}
	return d, in.enforce(&d)
}

// Value is a complete input as OPA sees it. It is not to be modified.
func (in *Input) Value() ast.Value { return in.value(in.Posture.term()) }

// Compiler is the compiled policy, library and site. It is not to be modified. Files
// of the library are named rego/<path>, the site's as below their directory.
func (g *Generation) Compiler() *ast.Compiler {
	if g == nil {
		return ast.NewCompiler()
	}
	return g.compiler
}
