package policy

import (
	"slices"
	"testing"
)

// TestEnforce hands decisions Rego could have given to the floors.
func TestEnforce(t *testing.T) {
	t.Parallel()
	allow := func(mode Mode, key string) Decision {
		return Decision{Allow: true, Encryption: Encryption{Mode: mode, KeyID: key}}
	}
	deny := func(mode Mode, id string) Decision {
		return Decision{Findings: []Finding{{ID: id, Message: "m", Action: ActionDeny}}, Encryption: Encryption{Mode: mode}}
	}
	kms := Posture{ID: "b/", Mode: KMS, Rank: 20, KeyID: mainKey}
	anyKey := Posture{ID: "b/", Mode: KMS, Rank: 20}
	sealed := Posture{ID: "b/", Mode: CSE, Rank: 40}
	s3 := Posture{ID: "b/", Mode: SSES3, Rank: 10}
	none := Posture{ID: "b/", Mode: None}
	uncovered := Posture{Rank: -1}
	for name, test := range map[string]struct {
		class    string
		posture  Posture
		missing  List
		decision Decision
		fault    string
		findings []string // none = allowed
	}{
		"as required":                    {ClassWrite, kms, nil, allow(KMS, mainKey), "", nil},
		"stronger":                       {ClassWrite, kms, nil, allow(DSSE, mainKey), "", nil},
		"none where none is required":    {ClassWrite, none, nil, allow(None, ""), "", nil},
		"weaker":                         {ClassWrite, kms, nil, allow(SSES3, ""), "", []string{"ENC-001"}},
		"just weaker":                    {ClassWrite, kms, nil, allow(SSEC, ""), "", []string{"ENC-001"}},
		"none where something is":        {ClassWrite, s3, nil, allow(None, ""), "", []string{"ENC-001"}},
		"not sealed":                     {ClassWrite, sealed, nil, allow(DSSE, mainKey), "", []string{"ENC-001"}},
		"unchanged write":                {ClassWrite, s3, nil, allow(Unchanged, ""), FaultDecision, nil},
		"write without mode":             {ClassWrite, s3, nil, allow("", ""), FaultDecision, nil},
		"write of unknown mode":          {ClassWrite, s3, nil, allow(Unknown, ""), FaultDecision, nil},
		"write of odd mode":              {ClassWrite, s3, nil, allow("aes", ""), FaultDecision, nil},
		"key dropped":                    {ClassWrite, kms, nil, allow(KMS, ""), "", []string{"ENC-001"}},
		"the store's key":                {ClassWrite, anyKey, nil, allow(KMS, ""), "", nil},
		"raised to the store's key":      {ClassWrite, s3, nil, allow(KMS, ""), "", nil},
		"uncovered, of the site's key":   {ClassWrite, uncovered, nil, allow(KMS, mainKey), "", nil},
		"uncovered, of the store's key":  {ClassWrite, uncovered, nil, allow(KMS, ""), "", []string{"ENC-001"}},
		"uncovered and unchanged":        {ClassWrite, uncovered, nil, deny(Unchanged, "ENC-001"), "", []string{"ENC-001"}},
		"uncovered, other finding":       {ClassWrite, uncovered, nil, deny(Unchanged, "TLS-001"), "", []string{"TLS-001", "ENC-001"}},
		"conflict allowed by mistake":    {ClassWrite, kms, nil, Decision{Allow: true, Findings: []Finding{{ID: "ENC-000", Action: ActionDeny}}, Encryption: Encryption{Mode: KMS, KeyID: mainKey}}, FaultDecision, nil},
		"write without grant":            {ClassWrite, kms, List{"s3:PutObject"}, allow(KMS, mainKey), "", []string{"GRT-000"}},
		"read without grant":             {ClassRead, kms, List{"s3:GetObject"}, allow(Unchanged, ""), "", []string{"GRT-000"}},
		"two grants missing":             {ClassRead, kms, List{"s3:GetObject", "s3:GetObjectVersion"}, allow(Unchanged, ""), "", []string{"GRT-000", "GRT-000"}},
		"read":                           {ClassRead, kms, nil, allow(Unchanged, ""), "", nil},
		"read with a mode":               {ClassRead, kms, nil, allow(KMS, mainKey), FaultDecision, nil},
		"delete with a mode":             {ClassDelete, kms, nil, allow(SSES3, ""), FaultDecision, nil},
		"denied without finding":         {ClassRead, kms, nil, Decision{Encryption: Encryption{Mode: Unchanged}}, FaultDecision, nil},
		"denied read stays denied":       {ClassRead, kms, nil, deny(Unchanged, "TLS-001"), "", []string{"TLS-001"}},
		"denied weaker write says so":    {ClassWrite, kms, nil, deny(SSES3, "TLS-001"), "", []string{"TLS-001", "ENC-001"}},
		"finding is not given twice":     {ClassWrite, kms, nil, deny(SSES3, "ENC-001"), "", []string{"ENC-001"}},
		"allowed read with a finding":    {ClassRead, kms, nil, Decision{Allow: true, Findings: []Finding{{ID: "TLS-001", Action: ActionDeny}}, Encryption: Encryption{Mode: Unchanged}}, FaultDecision, nil},
		"list of another class with one": {ClassList, kms, List{"s3:ListBucket"}, allow(Unchanged, ""), "", []string{"GRT-000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &Input{Request: Request{Class: test.class}, Posture: test.posture, Grants: Grants{Missing: test.missing}}
			in.Posture.complete()
			d := test.decision
			err := in.enforce(&d)
			if got := faultID(t, err); got != test.fault {
				t.Fatalf("got %v, want %q", err, test.fault)
			}
			if test.fault != "" {
				return
			}
			if got := ids(d); !slices.Equal(got, append([]string{}, test.findings...)) {
				t.Errorf("got findings %v, want %v", got, test.findings)
			}
			if d.Allow != (len(test.findings) == 0) {
				t.Errorf("got allow %v", d.Allow)
			}
		})
	}
}

// TestFloorsHoldAgainstRego loads libraries whose author made the mistakes the
// floors are there for.
func TestFloorsHoldAgainstRego(t *testing.T) {
	t.Parallel()
	weaker := "\t\"mode\": input.posture.mode,\n\t\"key_id\""
	for name, test := range map[string]struct {
		file, passage, replacement string
		in                         *Input
		want                       []string
	}{
		"weaker mode": {"join/join.rego", weaker, "\t\"mode\": \"sse-s3\",\n\t\"key_id\"",
			put("data", "kms/a"), []string{"ENC-001"}},
		"no grant asked for": {"main/main.rego", "some action in input.grants.missing", "some action in input.grants.missing\n\tinput.request.method == \"\"",
			get("forbidden", "a"), []string{"GRT-000"}},
		"no posture asked for": {"main/main.rego", "count(join.requirements) == 0", "count(join.requirements) == 0\n\tinput.request.method == \"\"",
			put("elsewhere", "a"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := withLibrary(t, test.file, test.passage, test.replacement)
			if err != nil {
				t.Fatal(err)
			}
			d, err := g.Decide(t.Context(), test.in)
			if test.want == nil {
				if faultID(t, err) != FaultDecision {
					t.Errorf("got %+v, %v", d, err)
				}
				return
			}
			if err != nil || d.Allow || !slices.Equal(ids(d), test.want) {
				t.Errorf("got %+v, %v, want %v", d, err, test.want)
			}
		})
	}
}
