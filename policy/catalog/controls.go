package catalog

import (
	"bytes"
	_ "embed" // the table of controls
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

//go:embed controls.yaml
var controls []byte

// Mapping says which rules bear on which controls.
type Mapping struct {
	// Caution must be shown wherever the rest is.
	Caution    string      `yaml:"caution" json:"caution"`
	Frameworks []Framework `yaml:"frameworks" json:"frameworks"`
}

// Framework is a published set of controls.
type Framework struct {
	ID       string    `yaml:"id" json:"id"` // NIST-800-53
	Name     string    `yaml:"name" json:"name"`
	Source   string    `yaml:"source" json:"source"` // where its text is
	Controls []Control `yaml:"controls" json:"controls"`
}

// Control is one demand of a framework, and the rules that bear on it.
type Control struct {
	ID    string   `yaml:"id" json:"id"` // SC-28(1)
	Title string   `yaml:"title" json:"title"`
	Note  string   `yaml:"note" json:"note,omitempty"` // where it applies, if not everywhere
	Rules []string `yaml:"rules" json:"rules"`         // sorted
}

// Controls gives the mapping of the library's rules. The caller owns the result.
func Controls() (Mapping, error) {
	var file struct {
		Version int `yaml:"version"`
		Mapping `yaml:",inline"`
	}
	d := yaml.NewDecoder(bytes.NewReader(controls))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return Mapping{}, fmt.Errorf("controls.yaml: %w", err)
	}
	if file.Version != 1 {
		return Mapping{}, fmt.Errorf("controls.yaml: version %d is not 1", file.Version)
	}
	return file.Mapping, nil
}

// Of lists the controls of a rule, sorted, as [Rule.Controls] has them.
func (m Mapping) Of(rule string) []string {
	out := []string{}
	for _, f := range m.Frameworks {
		for _, c := range f.Controls {
			if slices.Contains(c.Rules, rule) {
				out = append(out, f.ID+":"+c.ID)
			}
		}
	}
	slices.Sort(out)
	return out
}
