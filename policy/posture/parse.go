package posture

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"time"

	yaml "go.yaml.in/yaml/v3"
)

// MaxSize is the largest posture.yaml that is read, in bytes.
const MaxSize = 8 << 20

// Parse reads the text of a posture.yaml. The error names every entry that is
// wrong, not only the first.
func Parse(data []byte) (*Posture, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("larger than %d bytes", MaxSize)
	}
	if err := strict(data); err != nil {
		return nil, err
	}
	var file fileYAML
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, plain(err)
	}
	parts, err := file.validate()
	if err != nil {
		return nil, err
	}
	p := &Posture{
		exact:       map[string]*bucket{},
		grants:      newGrants(file.Grants),
		enforcement: or(file.Enforcement, EnforcementEnforce),
		keyTenants:  keyTenants(file.Keys),
		networks:    parts.networks,
		rules:       parts.actions,
		waivers:     newWaivers(parts.scopes),
	}
	p.addBuckets(&file)
	if err := p.ties(); err != nil {
		return nil, err
	}
	p.epochs = newEpochs(parts.dates())
	p.actions = p.epochs.perEpoch(parts.actions)
	p.unused = file.unused()
	return p, nil
}

// dates are all moments at which something the file says begins or ends.
func (s parts) dates() []time.Time {
	var out []time.Time
	for _, a := range s.actions {
		if a.then != "" {
			out = append(out, a.on)
		}
	}
	for _, w := range s.scopes {
		if !w.from.IsZero() {
			out = append(out, w.from)
		}
		out = append(out, w.until)
	}
	return out
}

func (p *Posture) addBuckets(f *fileYAML) {
	for name := range f.Buckets {
		b := f.bucket(name)
		if isGlob(name) {
			p.globs = append(p.globs, b)
		} else {
			p.exact[name] = b
		}
	}
	slices.SortFunc(p.globs, func(a, b *bucket) int {
		return cmp.Or(cmp.Compare(b.glob.literal(), a.glob.literal()), cmp.Compare(a.glob.text, b.glob.text))
	})
	for _, b := range p.globs {
		n := p.patterns.at(b.glob.prefix)
		if n.value == nil {
			n.value = new([]*bucket)
		}
		*n.value = append(*n.value, b)
	}
}

// unknownField is how the decoder complains of one, naming a Go type.
var unknownField = regexp.MustCompile(`field (.+) not found in type \S+`)

// plain puts the decoder's complaints in the words of the file.
func plain(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var errs []error
	for _, text := range wrong.Errors {
		errs = append(errs, errors.New(unknownField.ReplaceAllString(text, "unknown field $1")))
	}
	return errors.Join(errs...)
}

// strict refuses what the decoder would take silently: nulls (which become empty
// strings), keys that differ only in their YAML type, anchors, further documents.
func strict(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the file is empty")
		}
		return err
	}
	if err := strictNode(&document); err != nil {
		return err
	}
	var more yaml.Node
	switch err := decoder.Decode(&more); {
	case err == nil:
		return fmt.Errorf("line %d: a second document", more.Line)
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

func strictNode(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fmt.Errorf("line %d: anchors and aliases are not allowed", n.Line)
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return fmt.Errorf("line %d: an empty value; leave the field out or write \"\"", n.Line)
	}
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.ShortTag() == "!!merge" {
				return fmt.Errorf("line %d: merge keys are not allowed", key.Line)
			}
			if seen[key.Value] {
				return fmt.Errorf("line %d: %q is given twice", key.Line, key.Value)
			}
			seen[key.Value] = true
		}
	}
	for _, child := range n.Content {
		if err := strictNode(child); err != nil {
			return err
		}
	}
	return nil
}

// bucket makes the rules of one bucket pattern of a valid file.
func (f *fileYAML) bucket(name string) *bucket {
	b := &bucket{glob: newGlob(name)}
	for _, prefix := range slices.Sorted(maps.Keys(f.Buckets[name])) {
		r := f.Buckets[name][prefix].rule(name, prefix)
		r.Enforcement = cmp.Or(r.Enforcement, or(f.Enforcement, EnforcementEnforce))
		r.Floor = f.Classifications[r.Classification].Floor
		b.rules = append(b.rules, r)
		b.prefixes.at(prefix).value = r
	}
	return b
}

// ties refuses two patterns of which neither is more specific for some bucket.
func (p *Posture) ties() error {
	var errs []error
	for i, a := range p.globs {
		for _, b := range p.globs[i+1:] {
			if a.glob.literal() != b.glob.literal() {
				break
			}
			if overlap(a.glob, b.glob) {
				errs = append(errs, fmt.Errorf("buckets: %q and %q are equally specific and can match the same bucket", a.glob.text, b.glob.text))
			}
		}
	}
	return errors.Join(errs...)
}

func newGrants(list []grantYAML) grants {
	g := grants{principal: map[string][]*grant{}, group: map[string][]*grant{}}
	for _, y := range list {
		x := &grant{id: y.ID}
		g.all = append(g.all, x)
		for _, action := range y.Actions {
			x.actions = append(x.actions, newGlob(action))
		}
		for _, resource := range y.Resources {
			x.resources = append(x.resources, newGlob(resource))
		}
		for _, name := range y.Principals {
			switch name {
			case everyVerified:
				g.verified = append(g.verified, x)
			case anonymous:
				g.anonymous = append(g.anonymous, x)
			default:
				g.principal[name] = append(g.principal[name], x)
			}
		}
		for _, name := range y.Groups {
			g.group[name] = append(g.group[name], x)
		}
	}
	return g
}
