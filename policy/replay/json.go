package replay

import "encoding/json"

// counts are the members of a report that JSON needs no help with.
type counts Report

// MarshalJSON adds the rules and the examples.
func (r *Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		*counts
		Rules    []Rule    `json:"rules"`
		Examples []Outcome `json:"examples"`
	}{(*counts)(r), r.Rules(), r.Examples()})
}

// UnmarshalJSON reads what MarshalJSON wrote. Nothing is to be added to such a report.
func (r *Report) UnmarshalJSON(document []byte) error {
	*r = *NewReport(-1)
	read := struct {
		*counts
		Rules    []Rule    `json:"rules"`
		Examples []Outcome `json:"examples"`
	}{counts: (*counts)(r)}
	if err := json.Unmarshal(document, &read); err != nil {
		return err
	}
	for i := range read.Rules {
		r.rules[read.Rules[i].Rule] = &read.Rules[i]
	}
	for _, o := range read.Examples {
		r.examples[o.Kind] = append(r.examples[o.Kind], o)
	}
	return nil
}
