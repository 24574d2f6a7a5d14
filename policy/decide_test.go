package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// change returns the request with some of it changed.
func change(in *Input, f func(*Input)) *Input {
	f(in)
	return in
}

// TestDecide asks the shipped library about requests under testdata/posture.yaml.
func TestDecide(t *testing.T) {
	t.Parallel()
	asks := func(mode Mode, key string) func(*Input) {
		return func(in *Input) {
			in.Encryption = EncryptionFacts{Explicit: true, Requested: Requested{Mode: mode, KeyID: key}}
		}
	}
	who := func(id Identity) func(*Input) { return func(in *Input) { in.Identity = id } }
	nobody := who(Identity{AuthMethod: AuthAnonymous})
	copying := func(bucket, key string, mode Mode) func(*Input) {
		return func(in *Input) {
			in.Request.SourceActions = List{"s3:GetObject"}
			in.CopySource = CopySource{Present: true, Resource: Resource{Bucket: bucket, Key: key}, Encryption: Observed{Known: mode != Unknown, Mode: mode}}
		}
	}
	document := func(operation string, settings ...Setting) *Input {
		in := request(ClassBucketConfig, operation, "data-1", "")
		in.Document = Document{Present: true, Kind: operation, Settings: settings}
		return in
	}
	for name, test := range map[string]struct {
		in   *Input
		mode Mode
		want []string // findings
	}{
		"ordinary write":                  {put("data", "a"), SSES3, nil},
		"under a longer prefix":           {put("data", "kms/a"), KMS, nil},
		"under the longest prefix":        {put("data", "kms/default/a"), KMS, nil},
		"prefix without its slash":        {put("data", "kms"), SSES3, nil},
		"bucket by pattern":               {put("data-7", "kms/default/a"), KMS, nil},
		"dsse":                            {put("data", "dsse/a"), DSSE, nil},
		"sse-c":                           {change(put("data", "own/a"), asks(SSEC, "")), SSEC, nil},
		"sealed":                          {put("data", "sealed/a"), CSE, nil},
		"none, said so":                   {put("data", "open/a"), None, nil},
		"no bucket covers":                {put("elsewhere", "a"), Unchanged, []string{"ENC-001"}},
		"no prefix covers":                {put("partial", "out/a"), Unchanged, []string{"ENC-001"}},
		"read":                            {get("data", "kms/a"), Unchanged, nil},
		"uncovered read":                  {get("elsewhere", "a"), Unchanged, nil},
		"list":                            {request(ClassList, "ListObjectsV2", "data", ""), Unchanged, nil},
		"delete":                          {request(ClassDelete, "DeleteObject", "data", "kms/a"), Unchanged, nil},
		"tagging":                         {request(ClassObjectConfig, "PutObjectTagging", "data", "kms/a"), Unchanged, nil},
		"allowed key":                     {change(put("data", "kms/a"), asks(KMS, "arn:aws:kms:eu-central-1:111122223333:key/other")), KMS, nil},
		"foreign key":                     {change(put("data", "kms/a"), asks(KMS, "arn:aws:kms:eu-central-1:999999999999:key/main")), KMS, []string{"KEY-001"}},
		"foreign key on a part":           {change(request(ClassWrite, "UploadPart", "data", "kms/a"), asks(KMS, "evil")), KMS, []string{"KEY-001"}},
		"customer key":                    {change(put("data", "kms/a"), asks(SSEC, "")), KMS, []string{"KEY-002"}},
		"customer key left to the client": {change(put("data", "a"), asks(SSEC, "")), SSES3, nil},
		"context contradicted":            {change(put("data", "kms/a"), func(in *Input) { in.Encryption.Requested = Requested{Mode: KMS, Context: Map{"department": "hr"}} }), KMS, []string{"CTX-001"}},
		"plaintext":                       {change(put("data", "a"), func(in *Input) { in.Transport = Transport{SourceIP: "192.0.2.7"} }), SSES3, []string{"TLS-001"}},
		"plaintext on this machine":       {change(put("data", "a"), func(in *Input) { in.Transport = Transport{SourceIP: "127.0.0.1", Loopback: true} }), SSES3, nil},
		"plaintext, forged address":       {change(put("data", "a"), func(in *Input) { in.Transport = Transport{SourceIP: "127.0.0.1"} }), SSES3, []string{"TLS-001"}},
		"public":                          {change(put("data", "a"), func(in *Input) { in.Request.ACL.Canned = "public-read" }), SSES3, []string{"ACL-001"}},
		"stranger":                        {change(put("data", "a"), who(Identity{AuthMethod: AuthHeader, Verified: true, Principal: "stranger"})), SSES3, []string{"GRT-000"}},
		"unverified":                      {change(get("data", "a"), who(Identity{AuthMethod: AuthHeader, Principal: "app"})), Unchanged, []string{"AUT-001", "GRT-000"}},
		"anonymous read":                  {change(get("data", "public/a"), nobody), Unchanged, nil},
		"anonymous read elsewhere":        {change(get("data", "shared/a"), nobody), Unchanged, []string{"GRT-000"}},
		"anonymous write, though granted": {change(put("data", "public/a"), nobody), SSES3, []string{"AUT-002"}},
		"anonymous called anonymous":      {change(get("data", "public/a"), who(Identity{AuthMethod: AuthHeader, Verified: true, Principal: "anonymous"})), Unchanged, []string{"GRT-000"}},
		"every verified principal":        {change(get("data", "shared/a"), who(Identity{AuthMethod: AuthHeader, Verified: true, Principal: "stranger"})), Unchanged, nil},
		"by group":                        {change(get("data", "kms/a"), who(Identity{AuthMethod: AuthHeader, Verified: true, Principal: "x", Groups: List{"readers"}})), Unchanged, nil},
		"by group, more than granted":     {change(put("data", "a"), who(Identity{AuthMethod: AuthHeader, Verified: true, Principal: "x", Groups: List{"readers"}})), SSES3, []string{"GRT-000"}},
		"no action":                       {change(get("data", "a"), func(in *Input) { in.Request.Action = "" }), Unchanged, []string{"GRT-000"}},
		"one of two actions missing":      {change(get("data", "a"), func(in *Input) { in.Request.Actions = List{"s3:GetObject", "kms:Decrypt"} }), Unchanged, []string{"GRT-000"}},
		"presigned":                       {change(put("data", "a"), func(in *Input) { in.Request.Presign = Presign{Active: true, AgeS: 3, ExpiresS: 900} }), SSES3, nil},
		"presigned for a week":            {change(put("data", "a"), func(in *Input) { in.Request.Presign = Presign{Active: true, AgeS: 3, ExpiresS: 604800} }), SSES3, []string{"PRE-001"}},
		"copy":                            {change(put("data", "kms/a"), copying("data", "kms/b", KMS)), KMS, nil},
		"copy to weaker":                  {change(put("data", "a"), copying("data", "kms/b", KMS)), SSES3, []string{"CPY-001"}},
		"copy of unknown":                 {change(put("data", "a"), copying("data", "kms/b", Unknown)), SSES3, []string{"CPY-002"}},
		"copy of an ungranted source":     {change(put("data", "kms/a"), copying("secret", "b", KMS)), KMS, []string{"GRT-000"}},
		"copy that names no source action": {change(put("data", "kms/a"), func(in *Input) {
			in.CopySource = CopySource{Present: true, Encryption: Observed{Known: true, Mode: None}}
		}), KMS, []string{"GRT-000"}},
		"default encryption deleted":      {request(ClassBucketConfig, "DeleteBucketEncryption", "data-1", ""), Unchanged, []string{"BKT-001"}},
		"default encryption weaker":       {document("PutBucketEncryption", Setting{Path: "Rule", Mode: SSES3}), Unchanged, []string{"BKT-002"}},
		"default encryption, odd mode":    {document("PutBucketEncryption", Setting{Path: "Rule"}), Unchanged, []string{"BKT-002"}},
		"default encryption as strong":    {document("PutBucketEncryption", Setting{Path: "Rule", Mode: KMS, KeyID: mainKey}), Unchanged, nil},
		"default encryption, foreign key": {document("PutBucketEncryption", Setting{Path: "Rule", Mode: KMS, KeyID: "evil"}), Unchanged, []string{"KEY-001"}},
		"replicas weaker":                 {document("PutBucketReplication", Setting{Path: "Rule", Mode: SSES3}), Unchanged, []string{"BKT-005"}},
		"reports weaker":                  {document("PutBucketInventoryConfiguration", Setting{Path: "Rule", Mode: SSES3}), Unchanged, []string{"BKT-006"}},
		"several findings":                {change(put("elsewhere", "a"), func(in *Input) { in.Transport = Transport{}; in.Request.ACL.Public = true }), Unchanged, []string{"ACL-001", "ENC-001", "TLS-001"}},
		"service level":                   {change(request(ClassList, "ListAllMyBuckets", "", ""), who(Identity{AuthMethod: AuthHeader, Verified: true, Principal: "root"})), Unchanged, nil},
		"service level without a star":    {request(ClassList, "ListAllMyBuckets", "", ""), Unchanged, []string{"GRT-000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newEngine(t, nil).Current()
			d, err := g.Decide(t.Context(), test.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(slices.Values(ids(d))); !slices.Equal(got, append([]string{}, test.want...)) {
				t.Errorf("got findings %+v, want %v", d.Findings, test.want)
			}
			if d.Allow != (len(test.want) == 0) || d.Encryption.Mode != test.mode || d.Revision != g.Revision() {
				t.Errorf("got %+v, want mode %s", d, test.mode)
			}
		})
	}
}

// TestDecideDetails checks what a decision hands to enforcement.
func TestDecideDetails(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	d, err := g.Decide(t.Context(), put("data", "kms/a"))
	if err != nil {
		t.Fatal(err)
	}
	e := d.Encryption
	if e.KeyID != mainKey || e.Context["department"] != "finance" || e.BucketKey == nil || !*e.BucketKey || e.OnConflict != "reject" ||
		!slices.Equal(e.AllowedKeys, []string{mainKey, "arn:aws:kms:eu-central-1:111122223333:key/other"}) || d.OnRead != "decrypt" {
		t.Errorf("got %+v", d)
	}
	d.Encryption.Context["department"] = "hr"
	if again, err := g.Decide(t.Context(), put("data", "kms/a")); err != nil || again.Encryption.Context["department"] != "finance" {
		t.Errorf("a decision shares its context: %+v, %v", again, err)
	}
	if d, err := g.Decide(t.Context(), get("partial", "in/a")); err != nil || d.OnRead != "reject" {
		t.Errorf("got %+v, %v", d, err)
	}
	if d, err := g.Decide(t.Context(), put("data", "sealed/a")); err != nil || d.Encryption.Keyring != "main" || d.Encryption.KeyID != "" {
		t.Errorf("got %+v, %v", d, err)
	}
}

// TestGranted compares the early check with the decision it must never undercut.
func TestGranted(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	app := Identity{AuthMethod: AuthHeader, Verified: true, Principal: "app"}
	for name, test := range map[string]struct {
		id      Identity
		actions []string
		bucket  string
		want    bool
	}{
		"own bucket":        {app, []string{"s3:DeleteObject"}, "data", true},
		"pattern":           {app, []string{"s3:DeleteObject"}, "data-9", true},
		"other bucket":      {app, []string{"s3:DeleteObject"}, "secret", false},
		"other action":      {app, []string{"kms:Decrypt"}, "data", false},
		"one of two":        {app, []string{"kms:Decrypt", "s3:GetObject"}, "data", true},
		"under a prefix":    {Identity{AuthMethod: AuthAnonymous}, []string{"s3:PutObject"}, "data", true},
		"anonymous, no":     {Identity{AuthMethod: AuthAnonymous}, []string{"s3:DeleteObject"}, "data", false},
		"unverified":        {Identity{AuthMethod: AuthHeader, Principal: "app"}, []string{"s3:PutObject"}, "data", false},
		"no action":         {app, nil, "data", false},
		"longer name":       {Identity{AuthMethod: AuthHeader, Verified: true, Groups: List{"readers"}}, []string{"s3:GetObject"}, "data2", false},
		"everything":        {Identity{AuthMethod: AuthHeader, Verified: true, Principal: "root"}, []string{"s3:X"}, "any", true},
		"nothing for empty": {Identity{}, []string{"s3:PutBucketEncryption"}, "data", false},
	} {
		if got := g.Granted(test.id, test.actions, test.bucket); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestMissing asks about inputs that Decide has not completed yet.
func TestMissing(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	copying := put("data", "a")
	copying.CopySource = CopySource{Present: true, Resource: Resource{Bucket: "secret", Key: "b"}}
	copying.Request.SourceActions = List{"s3:GetObject"}
	stranger := put("data", "a")
	stranger.Identity.Principal = "stranger"
	unnamed := put("data", "a")
	unnamed.Request.Action = ""
	for name, test := range map[string]struct {
		in   *Input
		want []string
	}{
		"granted":          {put("data", "a"), nil},
		"only Action":      {stranger, []string{"s3:PutObject"}},
		"no action at all": {unnamed, []string{""}},
		"copy source":      {copying, []string{"s3:GetObject"}},
	} {
		if got := g.Missing(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// TestDecisionGolden pins the whole of an input and its decision.
func TestDecisionGolden(t *testing.T) {
	g := newEngine(t, nil).Current()
	in := put("data", "kms/a/b.txt")
	in.Request.ACL.Canned = "public-read"
	d, err := g.Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	// The revision changes with every change of the library.
	d.Revision, in.Gateway.Revision = "", ""
	got, err := json.MarshalIndent(struct {
		Input    *Input   `json:"input"`
		Decision Decision `json:"decision"`
	}{in, d}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const file = "testdata/decision.golden.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %s", got)
	}
}
