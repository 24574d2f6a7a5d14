package s3

import (
	"encoding/csv"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// row is one line of testdata/operations.csv by column name.
type row map[string]string

func readRows(t *testing.T) []row {
	t.Helper()
	f, err := os.Open("testdata/operations.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, line := range lines[1:] {
		r := row{}
		for i, column := range lines[0] {
			r[column] = line[i]
		}
		rows = append(rows, r)
	}
	if len(rows) != 118 {
		t.Fatalf("got %d rows, want 118", len(rows))
	}
	return rows
}

func (r row) list(column string) []string {
	return strings.FieldsFunc(r[column], func(c rune) bool { return c == ';' })
}

// TestRowsClassifyAsThemselves builds the request of every documented
// operation and expects its name back, or the modern name of an alias.
func TestRowsClassifyAsThemselves(t *testing.T) {
	t.Parallel()
	for _, r := range readRows(t) {
		t.Run(r["operation"], func(t *testing.T) {
			t.Parallel()
			want := r["operation"]
			if r["alias_of"] != "" {
				want = r["alias_of"]
			}
			if want == "ListDirectoryBuckets" {
				// Only the host tells it from ListBuckets, and that host is refused.
				_, err := new(Parser).Parse(newRequest("GET", "s3express-control.us-east-1.amazonaws.com", "/"))
				wantError(t, err, "NotImplemented")
				return
			}
			target := map[string]string{"service": "/", "bucket": "/bucket", "object": "/bucket/key", "any": "/bucket/key"}[r["scope"]]
			if want == "WriteGetObjectResponse" {
				target = lambdaPath
			}
			sep := "?"
			for _, key := range r.list("required_query_keys") {
				switch key {
				case "partNumber":
					key += "=1"
				case "uploadId", "id", "annotationName":
					key += "=x"
				}
				target += sep + key
				sep = "&"
			}
			var headers []string
			for _, h := range r.list("distinguishing_headers") {
				name, value, _ := strings.Cut(h, ":")
				switch {
				case value != "":
					value += "; boundary=x"
				case name == "x-amz-copy-source", name == "x-amz-rename-source":
					value = "source/key"
				default:
					value = "x"
				}
				headers = append(headers, name+": "+value)
			}
			plain := parse(t, r["method"], target, headers...)
			if plain.Op.Name != want {
				t.Fatalf("%s %s is %s, want %s", r["method"], target, plain.Op.Name, want)
			}
			for _, key := range r.list("optional_query_keys") {
				value := "1"
				if key == annotationDirective {
					value = "COPY"
				}
				if got := parse(t, r["method"], target+sep+key+"="+value, headers...); got.Op != plain.Op {
					t.Errorf("with %s it is %s", key, got.Op.Name)
				}
			}
		})
	}
}

// TestTableAgreesWithRows compares the facts of every row with the table.
func TestTableAgreesWithRows(t *testing.T) {
	t.Parallel()
	classes := map[string]Class{
		"object-write": ClassWrite, "object-copy": ClassWrite, "object-reencrypt": ClassWrite, "object-delete": ClassDelete,
		"object-read": ClassRead, "list": ClassList, "bucket-config": ClassBucketConfig, "session": ClassAdmin, "cors": ClassAdmin,
	}
	seen := map[string]bool{}
	for _, r := range readRows(t) {
		op, ok := Lookup(r["operation"])
		if !ok {
			t.Errorf("%s is not in the table", r["operation"])
			continue
		}
		seen[op.Name] = true
		if r["alias_of"] != "" {
			if op.Name != r["alias_of"] {
				t.Errorf("alias %s gives %s", r["operation"], op.Name)
			}
			continue
		}
		if op.Name != r["operation"] || op.Method != r["method"] || op.Scope.String() != r["scope"] {
			t.Errorf("%s: table says %s %s %s", r["operation"], op.Name, op.Method, op.Scope)
		}
		if got := r["request_checksum_required"] == "yes"; got != op.ChecksumRequired {
			t.Errorf("%s: ChecksumRequired is %v", op.Name, op.ChecksumRequired)
		}
		if got := r["error_in_200"] == "documented"; got != op.ErrorIn200 {
			t.Errorf("%s: ErrorIn200 is %v", op.Name, op.ErrorIn200)
		}
		body := BodyNone
		switch {
		case op.Name == "PostObject":
			body = BodyForm
		case r["streaming_body"] == "yes":
			body = BodyObject
		case r["has_body"] == "yes":
			body = BodyDocument
		}
		if op.Body != body {
			t.Errorf("%s: body is %d, want %d", op.Name, op.Body, body)
		}
		if want, ok := classes[r["class"]]; ok && op.Class != want {
			t.Errorf("%s: class is %s, want %s", op.Name, op.Class, want)
		}
		if op.Action == "" && op.Name != "OptionsPreflight" {
			t.Errorf("%s has no action", op.Name)
		}
	}
	for _, op := range Operations() {
		if !seen[op.Name] {
			t.Errorf("%s is not in the rows", op.Name)
		}
	}
	if !slices.IsSortedFunc(Operations(), func(a, b *Operation) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not sorted")
	}
}

// TestTableAgreesWithModel fails when the SDK model has an operation that the
// table lacks, or when the two disagree about a request line.
func TestTableAgreesWithModel(t *testing.T) {
	t.Parallel()
	for name, m := range model {
		op, ok := Lookup(name)
		if !ok {
			t.Errorf("the model has %s, the table has not", name)
			continue
		}
		scope := ScopeBucket
		switch {
		case m.path == "/{Key+}":
			scope = ScopeObject
		case m.path == lambdaPath, name == "ListBuckets", name == "ListDirectoryBuckets":
			scope = ScopeService
		}
		if op.Method != m.method || op.Scope != scope {
			t.Errorf("%s: table says %s %s, model %s %s", name, op.Method, op.Scope, m.method, m.path)
		}
		want := map[string]bool{}
		for _, q := range m.fixed {
			want[q.Name] = true
			if !slices.Contains(op.Require, q) {
				t.Errorf("%s: the table does not require %v", name, q)
			}
		}
		for _, q := range m.query {
			want[q] = true
		}
		got := map[string]bool{}
		for _, q := range op.Require {
			got[q.Name] = true
		}
		for _, q := range op.Optional {
			if q != annotationDirective { // a header in the model that may be a query key
				got[q] = true
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: table knows query keys %v, model %v", name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		for _, h := range m.headers {
			if strings.HasPrefix(h, amzPrefix) && !op.Headers[h] {
				t.Errorf("%s: header %s is missing", name, h)
			}
		}
	}
	for _, op := range Operations() {
		if _, ok := model[op.Name]; !ok && op.Name != "PostObject" && op.Name != "OptionsPreflight" {
			t.Errorf("the table has %s, the model has not", op.Name)
		}
	}
	if op, _ := Lookup("PostObject"); len(op.Headers) != 0 {
		t.Error("PostObject takes form fields, not headers")
	}
}

// TestDegradingOperations pins the rule behind AWSOnly: where leaving out the
// newer query key gives another operation of the same method and scope, a
// store that does not know the key would run that one.
func TestDegradingOperations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"UpdateObjectEncryption", "PutObjectAnnotation", "GetObjectAnnotation", "DeleteObjectAnnotation", "ListObjectAnnotations",
		"RenameObject", "DeleteBucketMetadataConfiguration", "UpdateBucketMetadataJournalTableConfiguration", "PutBucketAbac",
		"DeleteBucketInventoryConfiguration", "GetBucketMetricsConfiguration",
	} {
		if op, ok := Lookup(name); !ok || !op.AWSOnly {
			t.Errorf("%s is not AWSOnly", name)
		}
	}
	for _, name := range []string{"PutObject", "GetObject", "DeleteObjects", "PutBucketEncryption", "PutObjectTagging", "CompleteMultipartUpload"} {
		if op, ok := Lookup(name); !ok || op.AWSOnly {
			t.Errorf("%s is AWSOnly", name)
		}
	}
}
