package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

func allow(mode policy.Mode, change ...func(*Verdict)) Verdict {
	v := Verdict{Allow: true, Encryption: policy.Encryption{Mode: mode, KeyID: "k", Context: map[string]string{"a": "1"}, AllowedKeys: []string{"k", "l"}}, OnRead: "decrypt"}
	for _, c := range change {
		c(&v)
	}
	return v
}

func deny(ids ...string) Verdict {
	var v Verdict
	for _, id := range ids {
		v.Findings = append(v.Findings, policy.Finding{ID: id, Action: policy.ActionDeny})
	}
	return v
}

func TestCompare(t *testing.T) {
	t.Parallel()
	warns := func(v *Verdict) { v.Findings = []policy.Finding{{ID: "WRN-001", Action: policy.ActionWarn}} }
	brief := func(v *Verdict) {
		v.Brief, v.OnRead, v.Encryption.AllowedKeys, v.Encryption.Context = true, "", nil, map[string]string{"a": ""}
	}
	pooled := func(v Verdict) Verdict { v.Pooled = true; return v }
	for name, c := range map[string]struct {
		before, after Verdict
		want          Kind
	}{
		"same":                     {allow(policy.KMS), allow(policy.KMS), Same},
		"passes now":               {deny("KEY-001"), allow(policy.KMS), DenyToAllow},
		"was a fault, passes now":  {Verdict{Fault: "EVL-002"}, allow(policy.KMS), DenyToAllow},
		"refused now":              {allow(policy.KMS), deny("KEY-001"), AllowToDeny},
		"fault now":                {allow(policy.KMS), Verdict{Fault: "EVL-002"}, Fault},
		"fault now, was refused":   {deny("KEY-001"), Verdict{Fault: "EVL-002"}, Fault},
		"other fault":              {Verdict{Fault: "EVL-001"}, Verdict{Fault: "EVL-002"}, Fault},
		"same fault":               {Verdict{Fault: "EVL-002"}, Verdict{Fault: "EVL-002"}, Same},
		"fault before":             {Verdict{Fault: "EVL-002"}, deny("KEY-001"), Findings},
		"weaker":                   {allow(policy.KMS), allow(policy.SSES3), Weaker},
		"stronger":                 {allow(policy.KMS), allow(policy.DSSE), Encryption},
		"another key":              {allow(policy.KMS), allow(policy.KMS, func(v *Verdict) { v.Encryption.KeyID = "l" }), Encryption},
		"another context":          {allow(policy.KMS), allow(policy.KMS, func(v *Verdict) { v.Encryption.Context = map[string]string{"a": "2"} }), Encryption},
		"read otherwise":           {allow(policy.KMS), allow(policy.KMS, func(v *Verdict) { v.OnRead = "reject" }), Encryption},
		"keys in another order":    {allow(policy.KMS), allow(policy.KMS, func(v *Verdict) { v.Encryption.AllowedKeys = []string{"l", "k"} }), Same},
		"a warning more":           {allow(policy.KMS), allow(policy.KMS, warns), Findings},
		"for another reason":       {deny("KEY-001"), deny("KEY-002"), Findings},
		"denied, other encryption": {deny("KEY-001"), func() Verdict { v := deny("KEY-001"); v.Encryption.Mode = policy.KMS; return v }(), Same},
		"as a record tells it":     {allow(policy.KMS, brief), allow(policy.KMS), Same},
		"a record, another name":   {allow(policy.KMS, brief), allow(policy.KMS, func(v *Verdict) { v.Encryption.Context = map[string]string{"b": "1"} }), Encryption},
		"of several decisions":     {pooled(deny("KEY-001", "KEY-002")), deny("KEY-002"), Same},
		"not of several decisions": {pooled(deny("KEY-001", "KEY-002")), deny("KEY-003"), Findings},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Compare(c.before, c.after); got != c.want {
				t.Errorf("%s and %s: %s, want %s", c.before, c.after, got, c.want)
			}
		})
	}
}

// TestReportJSON: a report has its rules and examples in JSON, and a snapshot stays.
func TestReportJSON(t *testing.T) {
	t.Parallel()
	r := NewReport(1)
	in := &policy.Input{Request: policy.Request{Operation: "PutObject"}, Resource: policy.Resource{Bucket: "b", Key: "k"}}
	for range 2 {
		r.Add(Outcome{ID: "A", Kind: DenyToAllow, Input: in, Before: deny("KEY-001"), After: allow(policy.KMS)})
		r.Add(Outcome{ID: "B", Kind: NotReplayable, Lacks: []string{"input"}})
		r.Add(Outcome{ID: "C", Kind: Same})
	}
	before := r.Snapshot()
	r.Add(Outcome{ID: "D", Kind: AllowToDeny, Before: allow(policy.KMS), After: deny("KEY-002")})
	for _, c := range []struct {
		of       *Report
		has, not string
	}{{before, "KEY-001", "KEY-002"}, {r, "KEY-002", "NOT-THERE"}} {
		document, err := json.Marshal(c.of)
		if err != nil {
			t.Fatal(err)
		}
		text := string(document)
		for _, want := range []string{`"requests":`, `"rules":[{"rule":"KEY-001"`, `"rule":"` + c.has, `"examples":[{"kind":"deny_to_allow"`, `"lacking":{"input":2}`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
		var again Report
		if err := json.Unmarshal(document, &again); err != nil {
			t.Fatal(err)
		}
		if back, err := json.Marshal(&again); err != nil || string(back) != text {
			t.Errorf("read back (%v):\n%s\n%s", err, back, text)
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%s in %s", c.not, text)
		}
	}
	if rules := before.Rules(); len(rules) != 1 || rules[0] != (Rule{Rule: "KEY-001", Lost: 2, DenyToAllow: 2}) {
		t.Errorf("rules %+v", rules)
	}
	if n := len(r.Examples()); n != 3 {
		t.Errorf("%d examples", n)
	}
}
