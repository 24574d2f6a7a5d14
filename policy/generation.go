package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/sealgate/sealgate/policy/posture"
)

// Generation is one policy as a whole: library, site rules and posture of one
// moment. It does not change and is safe for concurrent use. A request should keep
// the Generation it began with. A nil Generation has nothing loaded: Decide gives
// the fault EVL-007 and Granted says no.
type Generation struct {
	query    oparego.PreparedEvalQuery
	compiler *ast.Compiler
	posture  *posture.Posture
	ruleIDs  map[string]bool
	notices  *notices
	parts    projection                   // what the policy reads of an input
	uncached error                        // why its decisions are not remembered, nil when they are
	cache    *cache                       // of decisions under query and posture
	rules    map[*posture.Rule]*ruleFacts // nil for what the posture does not cover
	sources  sources                      // what it was made of
	live     *live                        // nil when it was not put into force
	waived   []Waived                     // steps it did not have to pass
	revision string
	loadedAt time.Time
	timeout  time.Duration
	again    secondTries
	now      func() time.Time
}

// ruleFacts is a posture rule in the forms the input needs.
type ruleFacts struct {
	facts Posture                   // without what depends on the request
	last  atomic.Pointer[epochTerm] // of the epoch last asked for, without waivers
}

type epochTerm struct {
	epoch int
	term  *ast.Term
}

// Revision identifies the content of the policy; "" when nothing is loaded.
func (g *Generation) Revision() string {
	if g == nil {
		return ""
	}
	return g.revision
}

// Granted reports whether a grant could allow the identity one of the actions on the
// bucket or on something in it. It is cheap and meant for the time before a document
// body is read; it is no decision. It never says no where Decide would find a grant.
func (g *Generation) Granted(id Identity, actions []string, bucket string) bool {
	return g != nil && g.posture.Granted(id.grants(), actions, bucket)
}

// Rule returns what the posture demands of an object, or of a bucket when key is empty;
// nil when the posture does not cover it. The rule is not to be modified. Nothing is
// evaluated or allocated: it may be asked for every key of a listing.
func (g *Generation) Rule(bucket, key string) *posture.Rule {
	if g == nil {
		return nil
	}
	return g.posture.Resolve(bucket, key)
}

// Decide answers one request. It fills in.Posture, in.Grants and the derived fields
// of in, which the caller must not use elsewhere meanwhile. A denial has Allow false
// and findings; the error is always a *Fault and the Decision then the zero value.
// The context bounds the evaluation further than the engine's time-out does.
func (g *Generation) Decide(ctx context.Context, in *Input) (Decision, error) {
	if g == nil {
		return Decision{}, fault(FaultNotLoaded, errNotLoaded)
	}
	d, err := g.decideUnder(ctx, in)
	g.live.saw(in, d, err)
	return d, err
}

// decideUnder decides under every name a request has.
func (g *Generation) decideUnder(ctx context.Context, in *Input) (Decision, error) {
	if err := in.check(); err != nil {
		return Decision{}, err
	}
	if err := g.live.admit(in); err != nil {
		return Decision{}, err
	}
	if ctx.Err() != nil {
		return Decision{}, timedOut(ctx, g.timeout)
	}
	d, err := g.answer(ctx, in)
	if err != nil {
		return Decision{}, err
	}
	if other, ok := in.alias(); ok {
		o, err := g.answer(ctx, other)
		if err != nil {
			return Decision{}, err
		}
		d.agree(o, other.Resource.Key)
	}
	d.Revision = g.revision
	return d, nil
}

// answer is the decision on a request under the names it has.
func (g *Generation) answer(ctx context.Context, in *Input) (Decision, error) {
	d, err := g.decide(ctx, in, g.fill(in))
	if err != nil {
		return Decision{}, err
	}
	if err := in.enforce(&d); err != nil {
		return Decision{}, err
	}
	return d, nil
}

// decide gives Rego's answer on a complete input, from memory if it is there.
func (g *Generation) decide(ctx context.Context, in *Input, rule *ast.Term) (Decision, error) {
	k := g.cache.key(in)
	if k == nil {
		return g.ask(ctx, in, rule)
	}
	e := g.cache.get(k)
	if e != nil && !g.cache.due() {
		return e.decision.clone(), nil
	}
	d, err := g.ask(ctx, in, rule)
	switch {
	case e != nil:
		g.cache.compare(in, e.decision, d, err)
	case err == nil:
		g.cache.put(k, d)
	}
	return d, err
}

// ask evaluates the policy.
func (g *Generation) ask(ctx context.Context, in *Input, rule *ast.Term) (Decision, error) {
	value := in.value(rule)
	result, err := g.again.answer(ctx, g.timeout, func(timeout time.Duration) (ast.Value, error) {
		return evaluate(ctx, g.query, value, timeout)
	})
	if err != nil {
		return Decision{}, err
	}
	return decode(result)
}

// complete fills what the caller does not know and converts the input.
func (g *Generation) complete(in *Input) ast.Value { return in.value(g.fill(in)) }

// fill fills what the caller does not know and returns the term of the posture.
func (g *Generation) fill(in *Input) *ast.Term {
	rule := g.rules[g.posture.Resolve(in.Resource.Bucket, in.Resource.Key)]
	if in.Time.NS == 0 {
		in.Time = TimeAt(g.now())
	}
	in.Posture = rule.facts
	in.CopySource.Tenant = g.tenant(&in.CopySource.Resource)
	term := g.dated(in, rule)
	in.Transport.Networks = g.posture.Networks(in.Transport.SourceIP)
	in.Gateway.Revision = g.revision
	in.complete(g.now)
	in.Grants = g.grants(in)
	return term
}

// tenant is whose prefix a resource is under.
func (g *Generation) tenant(r *Resource) string {
	if rule := g.posture.Resolve(r.Bucket, r.Key); rule != nil {
		return rule.Tenant
	}
	return ""
}

// dated fills what depends on the moment of a request, and on whose and about what it
// is, and returns the term of the posture.
func (g *Generation) dated(in *Input, rule *ruleFacts) *ast.Term {
	at := time.Unix(0, in.Time.NS)
	p := &in.Posture
	p.epoch = g.posture.Epoch(at)
	p.Actions = g.posture.Actions(p.epoch)
	p.Waivers = g.posture.Waivers(in.Identity.grants(), in.Resource.Bucket, in.Resource.Key, at)
	if len(p.Waivers) > 0 {
		return p.term()
	}
	last := rule.last.Load()
	if last == nil || last.epoch != p.epoch {
		last = &epochTerm{epoch: p.epoch, term: p.term()}
		rule.last.Store(last)
	}
	return last.term
}

// grants judges the actions on the resource and, for copies, those on the source.
func (g *Generation) grants(in *Input) Grants {
	id := in.Identity.grants()
	ids, missing := g.posture.Missing(id, in.Request.needed(), in.Resource.Bucket, in.Resource.Key)
	if in.CopySource.Present || len(in.Request.SourceActions) > 0 {
		actions := []string(in.Request.SourceActions)
		if len(actions) == 0 {
			actions = []string{""} // a source nobody says how to read is not granted
		}
		source := in.CopySource.Resource
		more, lacking := g.posture.Missing(id, actions, source.Bucket, source.Key)
		ids, missing = append(ids, more...), append(missing, lacking...)
	}
	if in.Request.Operation == "RestoreObject" {
		// It can have the store write into a bucket, and would do so with the
		// gateway's rights. Under which keys is not known here.
		for _, bucket := range in.Document.Destinations {
			more, lacking := g.posture.Missing(id, []string{"s3:PutObject"}, bucket, "*")
			ids, missing = append(ids, more...), append(missing, lacking...)
		}
	}
	return Grants{IDs: distinct(ids), Missing: distinct(missing)}
}

func (i Identity) grants() posture.Identity {
	return posture.Identity{
		Anonymous: i.AuthMethod == "" || i.AuthMethod == AuthAnonymous,
		Verified:  i.Verified,
		Principal: i.Principal,
		Groups:    i.Groups,
	}
}

// distinct removes repetitions from a short list, keeping the order.
func distinct(list []string) []string {
	out := list[:0]
	for i, v := range list {
		if !slices.Contains(list[:i], v) {
			out = append(out, v)
		}
	}
	return out
}

// build makes and probes a generation. An error of it is a *StepError.
func build(ctx context.Context, o Options, s sources) (*Generation, error) {
	p, err := posture.Parse(s.posture.data)
	if err != nil {
		return nil, failedAt(StepCompile, fmt.Errorf("%s: %w", s.posture.name, err))
	}
	if err := o.check(p); err != nil {
		return nil, failedAt(StepCompile, fmt.Errorf("%s: %w", s.posture.name, err))
	}
	compiler, err := compile(s)
	if err != nil {
		return nil, failedAt(StepCompile, err)
	}
	query, err := prepare(ctx, compiler)
	if err != nil {
		return nil, failedAt(StepCompile, err)
	}
	g := &Generation{
		query:    query,
		compiler: compiler,
		ruleIDs:  ruleIDs(compiler.Modules),
		revision: s.revision(),
		loadedAt: o.Now(),
		sources:  s,
		timeout:  o.Timeout,
		again:    make(secondTries, runtime.GOMAXPROCS(0)),
		now:      o.Now,
	}
	g.parts, g.uncached = project(compiler)
	g.setPosture(p)
	if err := g.probe(ctx); err != nil {
		return nil, failedAt(StepProbe, err)
	}
	return g, nil
}

// check asks about the names in a posture that mean something elsewhere.
func (o Options) check(p *posture.Posture) error {
	var actions, keyrings error
	if o.CheckAction != nil {
		actions = p.CheckActions(o.CheckAction)
	}
	if o.CheckKeyring != nil {
		keyrings = p.CheckKeyrings(o.CheckKeyring)
	}
	return errors.Join(keyrings, actions) // in the order of the file
}

// setPosture belongs to building a generation. What was decided under another posture
// is forgotten.
func (g *Generation) setPosture(p *posture.Posture) {
	g.cache = newCache(g.parts, g.uncached)
	g.notices = new(notices)
	g.posture, g.rules = p, map[*posture.Rule]*ruleFacts{}
	tenants := make(Lists, len(p.KeyTenants()))
	for key, list := range p.KeyTenants() {
		tenants[key] = list
	}
	add := func(r *posture.Rule, facts Posture) {
		facts.KeyTenants = tenants
		facts.complete()
		g.rules[r] = &ruleFacts{facts: facts}
	}
	add(nil, Posture{Enforcement: p.Enforcement()})
	for r := range p.Rules() {
		add(r, factsOf(r))
	}
}

func factsOf(r *posture.Rule) Posture {
	return Posture{
		ID:          r.ID,
		BucketGlob:  r.BucketGlob,
		Prefix:      r.Prefix,
		Mode:        r.Mode,
		KeyID:       r.KeyID,
		AllowedKeys: r.AllowedKeys,
		Keyring:     r.Keyring,
		Context:     r.Context,
		BucketKey:   BucketKeyOf(r.BucketKey),
		OnConflict:  r.OnConflict,
		OnRead:      r.OnRead,

		Classification:  r.Classification,
		Floor:           r.Floor,
		Tenant:          r.Tenant,
		Enforcement:     r.Enforcement,
		Residency:       r.Residency,
		Networks:        r.Networks,
		Checksum:        r.Checksum,
		Presign:         r.Presign,
		PresignMaxS:     r.PresignMaxS,
		Deletes:         r.Deletes,
		MaxDeleteKeys:   r.MaxDeleteKeys,
		RequiredContext: r.RequiredContext,
		TLSMin:          r.TLSMin,
		ClientCert:      r.ClientCert,
	}
}

// probeTimeout is generous: the first evaluation of a generation is a cold one, and
// loading happens beside traffic.
const probeTimeout = 2 * time.Second

// probe asks the policy about requests nothing is known of, one of each class. Rego
// alone must deny every one: an answer that depends on the floors, a fault, or an
// entrypoint that does not exist keeps a policy from being loaded.
func (g *Generation) probe(ctx context.Context) error {
	for _, class := range classes {
		in := &Input{Request: Request{Class: class}}
		result, err := evaluate(ctx, g.query, g.complete(in), probeTimeout)
		if err != nil {
			return fmt.Errorf("an empty %s request: %w", class, err)
		}
		d, err := decode(result)
		if err != nil {
			return fmt.Errorf("an empty %s request: %w", class, err)
		}
		if d.Allow {
			return fmt.Errorf("an empty %s request is allowed", class)
		}
		if err := in.enforce(&d); err != nil {
			return fmt.Errorf("an empty %s request: %w", class, err)
		}
	}
	return nil
}
