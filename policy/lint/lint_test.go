package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// finding is the head of a rule that is right.
const finding = `deny contains {"id": "TST-001", "msg": "m", "path": "request.class"} if `

// TestCheck: rules, and what is found in them as "row:code". The first row of a text is
// the third of its file.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing wrong": {finding + `input.request.class == "write"`, nil},

		"a field behind an argument":       {finding + "f(input.resource)\n\nf(r) if r.buckett == \"b\"", []string{"5:unknown-field"}},
		"a field behind two arguments":     {finding + "f(input.resource)\n\nf(r) if g(r)\n\ng(r) if r.nope == \"b\"", []string{"7:unknown-field"}},
		"a field of one of two arguments":  {finding + "{\n\tf(input.resource)\n\tf(input.copy_source.resource)\n}\n\nf(r) if r.bucket == \"b\"", nil},
		"a field that only one has":        {finding + "{\n\tf(input.resource)\n\tf(input.identity)\n}\n\nf(r) if r.principal == \"b\"", nil},
		"a field behind a result":          {finding + "f(input.copy_source).keyy == \"b\"\n\nf(c) := c.resource", []string{"3:unknown-field"}},
		"a computed field":                 {finding + "{\n\tname := \"classs\"\n\tinput.request.acl[name] == \"x\"\n}", []string{"4:unknown-field"}},
		"object.get":                       {finding + `object.get(input.resource, "buckett", "") == "b"`, []string{"3:unknown-field"}},
		"object.get of a path":             {finding + `object.get(input.copy_source, ["resource", "buckett"], "") == "b"`, []string{"3:unknown-field"}},
		"object.get of a header":           {finding + `object.get(input.request.headers, "x-amz-acl", "") == "b"`, nil},
		"the element of a list":            {finding + "{\n\tsome s in input.document.settings\n\tf(s)\n}\n\nf(s) if s.modee == \"cse\"", []string{"4:unindexed", "8:unknown-field"}},
		"the value of a map":               {finding + `input.request.headers["x-amz-acl"] == 3`, []string{"3:impossible-type"}},
		"the value of a map, by name":      {finding + "some name\n\tinput.request.tags[name] == true", []string{"rego_parse_error"}},
		"a map entry with a number":        {finding + "{\n\tsome name\n\tinput.request.tags[name] == 7\n}", []string{"5:impossible-type"}},
		"a number in a list of strings":    {finding + `7 in input.identity.groups`, []string{"3:rego_type_error"}},
		"an argument of the wrong type":    {finding + "f(input.resource.key)\n\nf(k) if k == 3", []string{"3:rego_type_error"}},
		"an argument of one of two types":  {finding + "{\n\tf(input.resource.key)\n\tf(input.request.presign.age_s)\n}\n\nf(k) if k == 3", []string{"4:rego_type_error"}},
		"a function that is never called":  {finding + "input.request.class == \"write\"\n\nf(k) if k == 3", []string{"5:never-asked"}},
		"words through a rule of the join": {finding + `data.sealgate.join.encryption.mode == "sse-kns"`, []string{"3:impossible-value"}},
		"a word of two fields":             {finding + "{\n\tf(input.request.class)\n\tf(input.posture.mode)\n}\n\nf(v) if v == \"cse\"", nil},
		"a prefix that is none":            {finding + `startswith(input.encryption.requested.mode, "ssse-")`, []string{"3:impossible-value"}},
		"a prefix":                         {finding + `startswith(input.encryption.requested.mode, "sse-")`, nil},
		"a pattern that matches nothing":   {finding + `regex.match("^kms", input.encryption.requested.mode)`, []string{"3:unindexed", "3:impossible-value"}},
		"an operation, without knowing":    {finding + `input.request.operation == "PutObjekt"`, nil},

		"not a string":             {finding + `not input.posture.key_id`, []string{"3:always-present"}},
		"not an object":            {finding + `not input.document`, []string{"3:always-present"}},
		"a string alone":           {finding + `input.posture.key_id`, []string{"3:always-present"}},
		"a list through a local":   {finding + "{\n\tkeys := input.posture.allowed_keys\n\tnot keys\n}", []string{"5:always-present"}},
		"not a boolean":            {finding + `not input.transport.tls`, nil},
		"not an entry of a map":    {finding + `not input.request.headers["x-amz-acl"]`, nil},
		"not an element of a list": {finding + `not input.resource.prefixes[0]`, nil},

		"conditions that exclude each other": {finding + "{\n\tinput.request.class == \"read\"\n\tinput.resource.bucket == \"a\"\n\tinput.request.class == \"write\"\n}", []string{"6:contradiction"}},
		"sets that exclude each other":       {finding + "{\n\tinput.request.class in {\"read\", \"list\"}\n\tinput.request.class in {\"write\"}\n}", []string{"5:contradiction"}},
		"sets that share a value":            {finding + "{\n\tinput.request.class in {\"read\", \"list\"}\n\tinput.request.class in {\"list\", \"write\"}\n}", nil},
		"two buckets at once":                {finding + "{\n\tinput.resource.bucket == \"a\"\n\t\"b\" == input.resource.bucket\n}", []string{"5:contradiction"}},

		"no msg":                  {`deny contains {"id": "TST-001"} if input.request.read_only`, []string{"3:finding-form"}},
		"no id":                   {`deny contains {"msg": "m"} if input.request.read_only`, []string{"3:finding-form"}},
		"a text for a finding":    {`deny contains "frozen" if input.request.read_only`, []string{"3:finding-form"}},
		"a further field":         {`deny contains {"id": "TST-001", "msg": "m", "severity": "high"} if input.request.read_only`, []string{"3:finding-form"}},
		"an action of its own":    {`deny contains {"id": "TST-001", "msg": "m", "action": "audit"} if input.request.read_only`, []string{"3:finding-form"}},
		"msg that is a number":    {`deny contains {"id": "TST-001", "msg": 1} if input.request.read_only`, []string{"3:finding-form"}},
		"a path that is none":     {`deny contains {"id": "TST-001", "msg": "m", "path": "request.clas"} if input.request.read_only`, []string{"3:finding-form"}},
		"a path through a string": {`deny contains {"id": "TST-001", "msg": "m", "path": "request.class.x"} if input.request.read_only`, []string{"3:finding-form"}},
		"a path to a header":      {`deny contains {"id": "TST-001", "msg": "m", "path": "request.headers.x-amz-acl"} if input.request.read_only`, nil},
		"an id in small letters":  {`deny contains {"id": "tst-001", "msg": "m"} if input.request.read_only`, []string{"3:rule-id"}},
		"an id from a constant":   {"deny contains {\"id\": id, \"msg\": \"m\"} if input.request.read_only\n\nid := \"TST-1\"", []string{"5:rule-id"}},
		"an id of the library":    {`deny contains {"id": "TLS-001", "msg": "m"} if input.request.read_only`, []string{"3:shipped-id"}},
		"an id of the join":       {`deny contains {"id": "ENC-000", "msg": "m"} if input.request.read_only`, []string{"3:shipped-id"}},
		"an id of the gateway":    {`deny contains {"id": "EVL-001", "msg": "m"} if input.request.read_only`, []string{"3:rule-id"}},
		"a finding of a function": {"deny contains f(\"m\") if input.request.read_only\n\nf(m) := {\"id\": \"TST-001\", \"message\": m}", []string{"3:finding-form", "5:finding-form"}},

		"a pattern for every request":    {finding + `regex.match("^a+$", input.resource.key)`, []string{"3:unindexed"}},
		"a pattern behind an index":      {finding + "{\n\tinput.request.operation == \"PutObject\"\n\tregex.match(\"^a+$\", input.resource.key)\n}", nil},
		"a pattern before the index":     {finding + "{\n\tregex.match(\"^a+$\", input.resource.key)\n\tinput.request.class in {\"write\"}\n}", nil},
		"a pattern behind a test":        {finding + "{\n\tinput.resource.key != \"\"\n\tregex.match(\"^a+$\", input.resource.key)\n}", []string{"5:unindexed"}},
		"a pattern in a rule":            {finding + "bad\n\nbad if regex.match(\"^a+$\", input.resource.key)", []string{"5:unindexed"}},
		"a pattern in a function":        {finding + "bad(input.resource.key)\n\nbad(k) if regex.match(\"^a+$\", k)", []string{"5:unindexed"}},
		"a glob over folders":            {finding + `glob.match("a/**/b", ["/"], input.resource.key)`, []string{"3:unindexed"}},
		"a glob of a folder":             {finding + `glob.match("a/*", ["/"], input.resource.key)`, nil},
		"a list of the request":          {finding + "{\n\tsome g in input.identity.groups\n\tstartswith(g, \"x\")\n}", []string{"4:unindexed"}},
		"a list behind a test":           {finding + "{\n\tinput.identity.principal != \"\"\n\tsome g in input.identity.groups\n\tstartswith(g, \"x\")\n}", nil},
		"every of a list":                {finding + "every g in input.identity.groups {\n\tstartswith(g, \"x\")\n}", []string{"3:unindexed"}},
		"a list in a comprehension":      {finding + `count([g | some g in input.identity.groups; startswith(g, "x")]) > 0`, []string{"3:unindexed"}},
		"in a list":                      {finding + `"x" in input.identity.groups`, nil},
		"a long list of the policy":      {finding + "{\n\tsome n in names\n\tn == input.resource.bucket\n}\n\nnames := [" + strings.Repeat(`"a", `, 20) + "]", []string{"4:unindexed"}},
		"a short list of the policy":     {finding + "{\n\tsome n in names\n\tn == input.resource.bucket\n}\n\nnames := [\"a\", \"b\"]", nil},
		"a range of the request's":       {finding + "{\n\tinput.request.class == \"write\"\n\tcount(numbers.range(1, input.request.content_length)) > 5\n}", []string{"5:unbounded"}},
		"a range of ten":                 {finding + "{\n\tinput.request.class == \"write\"\n\tcount(numbers.range(1, 10)) > 5\n}", nil},
		"the whole input to a function":  {finding + "f(input)\n\nf(i) if i.request.class == \"write\"", []string{"3:uncached"}},
		"the whole request":              {finding + "f(input.request)\n\nf(r) if r.class == \"write\"", []string{"3:uncached"}},
		"an unused part of the request":  {finding + "f(input.request.acl)\n\nf(a) if a.canned == \"x\"", nil},
		"the time to the nanosecond":     {finding + `input.time.ns > 5`, []string{"3:uncached"}},
		"the hour":                       {finding + `input.time.hour > 5`, nil},
		"a rule nobody refers to":        {finding + "input.request.read_only\n\nhelper := 1", []string{"5:never-asked"}},
		"a rule another refers to":       {finding + "input.request.presign.age_s > limit\n\nlimit := base + 1\n\nbase := 1", nil},
		"a rule referred to by a set":    {finding + "data.site.rules.x[\"limit\"] < input.request.presign.age_s\n\nlimit := 1", nil},
		"misspelt, so OPA sees it":       {finding + `input.request.clas == "write"`, []string{"3:rego_type_error"}},
		"what is no Rego":                {"deny contains", []string{"rego_parse_error", "rego_parse_error"}},
		"a deny that would not be asked": {"deny := true", []string{"3:not-loaded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "x.rego", "package site.rules.x\n\n"+test.text+"\n")
			expect(t, check(t, dir, Options{}), test.want)
		})
	}
}

// expect compares problems with "row:code", or "code" where the row does not matter.
func expect(t *testing.T, found []Problem, want []string) {
	t.Helper()
	var got []string
	for i, p := range found {
		if p.Message == "" || p.Level == "" || p.Row == 0 || p.Col == 0 || p.Fix == "" && !p.Compiler() && p.Code != NotLoaded {
			t.Errorf("incomplete: %+v", p)
		}
		said := fmt.Sprintf("%d:%s", p.Row, p.Code)
		if i < len(want) && want[i] == string(p.Code) {
			said = string(p.Code)
		}
		got = append(got, said)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q\n%v", got, want, found)
	}
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value string
		want  []string
	}{
		"right":              {`{"mode": "sse-kms", "key_id": "k", "bucket_key": "yes", "on_conflict": "replace", "on_read": "reject", "allowed_keys": {"k"}, "context": {"a": "b"}}`, nil},
		"from the input":     {`{"mode": input.posture.mode, "key_id": input.identity.attributes.key}`, nil},
		"no mode":            {`{"key_id": "k"}`, []string{"3:requirement-form"}},
		"a text":             {`"cse"`, []string{"3:requirement-form"}},
		"misspelt mode":      {`{"mode": "sse-kns"}`, []string{"3:impossible-value"}},
		"a decision's mode":  {`{"mode": "unchanged"}`, []string{"3:impossible-value"}},
		"misspelt conflict":  {`{"mode": "cse", "on_conflict": "rejct"}`, []string{"3:impossible-value"}},
		"misspelt on_read":   {`{"mode": "cse", "on_read": "decript"}`, []string{"3:impossible-value"}},
		"boolean bucket key": {`{"mode": "sse-kms", "bucket_key": true}`, []string{"3:requirement-form"}},
		"misspelt field":     {`{"mode": "sse-kms", "keyid": "k"}`, []string{"3:requirement-form"}},
		"context of a text":  {`{"mode": "sse-kms", "context": "a=b"}`, []string{"3:requirement-form"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "x.rego", "package site.encryption.x\n\nrequire contains "+test.value+" if input.request.class == \"write\"\n")
			expect(t, check(t, dir, Options{}), test.want)
		})
	}
}

// TestTests: what a test puts in place of the input is held against the schema.
func TestTests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		with string
		want []string
	}{
		"right":            {`input as testing.with_fields({"request": {"class": "read"}})`, nil},
		"built":            {`input as testing.put("sse-kms")`, nil},
		"a misspelt value": {`input as testing.with_fields({"request": {"class": "raed"}})`, []string{"5:impossible-value"}},
		"a misspelt field": {`input as testing.with_fields({"request": {"klass": "read"}})`, []string{"5:unknown-field"}},
		"written out":      {`input as {"request": {"class": "raed"}}`, []string{"5:impossible-value"}},
		"one field":        {`input.request.class as "raed"`, []string{"5:impossible-value"}},
		"a wrong type":     {`input.transport.tls as "yes"`, []string{"5:impossible-type"}},
		"a misspelt mode":  {`input as testing.put("sse-kns")`, []string{"5:impossible-value"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "x.rego", "package site.rules.x\n\n"+finding+"input.request.class == \"read\"\n")
			write(t, dir, "x_test.rego", "package site.rules.x_test\n\nimport data.sealgate.lib.testing\n\ntest_x if count(data.site.rules.x.deny) > 0 with "+test.with+"\n")
			found := check(t, dir, Options{Tests: true})
			if strings.Contains(test.with, "testing") {
				expect(t, found, test.want)
				return
			}
			// The import is not used, which OPA says.
			write(t, dir, "x_test.rego", "package site.rules.x_test\n\n\n\ntest_x if count(data.site.rules.x.deny) > 0 with "+test.with+"\n")
			expect(t, check(t, dir, Options{Tests: true}), test.want)
		})
	}
}

// TestUnloaded: a rule of a test file must not look like one that gateways have.
func TestUnloaded(t *testing.T) {
	t.Parallel()
	const deny = "deny contains {\"id\": \"XXX-002\", \"msg\": \"m\"} if input.request.class == \"write\"\n"
	for name, test := range map[string]struct {
		tests string
		want  []string
	}{
		"a finding of a loaded package":     {"package site.rules.x\n\n" + deny, []string{"3:not-loaded"}},
		"a finding of its own package":      {"package site.rules.y\n\n" + deny, []string{"3:not-loaded"}},
		"a requirement":                     {"package site.encryption.y\n\nrequire contains {\"mode\": \"cse\"} if input.request.class == \"write\"\n", []string{"3:not-loaded"}},
		"more of what a loaded rule reads":  {"package site.rules.x\n\nnames contains \"b\"\n", []string{"3:not-loaded"}},
		"a helper of the tests":             {"package site.rules.x_test\n\nnames contains \"b\"\n", nil},
		"a test in the package it is about": {"package site.rules.x\n\ntest_x if count(deny) == 0 with input.resource.key as \"z\"\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "x.rego", "package site.rules.x\n\n"+finding+"{\n\tinput.request.class == \"write\"\n\tinput.resource.key in names\n}\n\nnames contains \"a\"\n")
			write(t, dir, "x_test.rego", test.tests)
			expect(t, check(t, dir, Options{Tests: true}), test.want)
		})
	}
}

// TestKnown: values that the schema leaves open can be given.
func TestKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "x.rego", "package site.rules.x\n\n"+finding+"input.request.operation in {\"PutObjekt\", \"GetObject\"}\n")
	found := check(t, dir, Options{Known: map[string][]string{"request.operation": {"PutObject", "GetObject"}}})
	found = slices.DeleteFunc(found, func(p Problem) bool { return strings.HasPrefix(p.File, "rego/") }) // names others
	expect(t, found, []string{"3:impossible-value"})
	if len(found) == 1 && found[0].Fix != `write "PutObject"` {
		t.Errorf("got %s", found[0])
	}
}

// TestMeasure: the rules that are reported for what they cost say how much.
func TestMeasure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "x.rego", "package site.rules.x\n\n"+finding+"regex.match(\"^a+$\", input.resource.key)\n")
	write(t, dir, "y.rego", "package site.rules.y\n\n"+finding+"not input.posture.key_id\n")
	found := check(t, dir, Options{Measure: true})
	expect(t, found, []string{"3:unindexed", "3:always-present"})
	c := found[0].Cost
	if c == nil || !c.Measured || c.Asked != "data.site.rules.x.deny" || c.Micros <= 0 || c.Decision <= 0 {
		t.Errorf("got %+v", c)
	}
	if !strings.Contains(found[0].String(), "µs") || found[1].Cost != nil {
		t.Errorf("got %s", found)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		wrong string
		right []string
		want  string
	}{
		{"wrte", []string{"read", "write"}, `write "write"`},
		{"sse-kms", []string{"none", "dsse-kms"}, `write "dsse-kms"`},
		{"zzz", []string{"read", "write"}, `write one of "read", "write"`},
		{"x", nil, "remove it"},
	} {
		if got := suggest(test.wrong, test.right); got != test.want {
			t.Errorf("%s: got %s, want %s", test.wrong, got, test.want)
		}
	}
	for word, n := range map[string]int{"": 5, "write": 0, "writ": 1, "wrtie": 1, "wrte": 1, "wwrite": 1, "wrate": 1, "read": 4} {
		if got := edits(word, "write"); got != n {
			t.Errorf("%q: %d edits, want %d", word, got, n)
		}
	}
}

// FuzzCheck: whatever compiles can be checked, and what is found has a place.
func FuzzCheck(f *testing.F) {
	for _, construct := range constructs {
		text := strings.NewReplacer("L", "input.request.class", "X", `"wrte"`, "O", "input.request", "F", "class", "N", "", "G", `"read"`).Replace(construct)
		beside, body, ok := strings.Cut(text, "---\n")
		if !ok {
			beside, body = "", text
		}
		f.Add(beside + "\n" + finding + "{\n" + body + "\n}\n")
	}
	f.Add(finding + "walk(input, [p, v])")
	f.Add("deny contains x if some x in [{\"id\": y} | some y in input.identity.groups[_]]")
	// Without the library, whose compilation would be most of the time.
	f.Fuzz(func(t *testing.T, text string) {
		module, err := ast.ParseModuleWithOpts("x.rego", "package site.rules.x\n\n"+text, ast.ParserOptions{ProcessAnnotation: true})
		if err != nil || module == nil {
			return
		}
		found, err := checkModules(map[string]*ast.Module{"x.rego": module}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found {
			if p.Code == "" || p.Message == "" || p.File != "x.rego" || p.Row < 1 || p.Col < 1 {
				t.Errorf("%+v", p)
			}
		}
	})
}
