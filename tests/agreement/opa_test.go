package agreement

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/rego"
	"github.com/sealgate/sealgate/tests/servers"
)

const entrypoint = "data.sealgate.main.decision"

// regoFiles are the files of library and site, by the name Sealgate gives them.
func regoFiles(t *testing.T, site string) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(files fs.FS, prefix string) {
		err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".rego") || strings.HasSuffix(path, "_test.rego") {
				return err
			}
			text, err := fs.ReadFile(files, path)
			out[prefix+path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(rego.FS(), "rego/")
	if site != "" {
		read(os.DirFS(site), "")
	}
	return out
}

// opa is OPA's library with the policy as any user of it would load it.
type opa struct{ query oparego.PreparedEvalQuery }

func newOPA(t *testing.T, modules map[string]string) *opa {
	t.Helper()
	schema, err := fs.ReadFile(rego.FS(), "schemas/input.json")
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(schema, &document); err != nil {
		t.Fatal(err)
	}
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, document)
	options := []func(*oparego.Rego){oparego.Query(entrypoint), oparego.Schemas(schemas)}
	for name, text := range modules {
		options = append(options, oparego.Module(name, text))
	}
	query, err := oparego.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &opa{query}
}

// opaDecision is what Rego answers.
type opaDecision struct {
	Allow      bool             `json:"allow"`
	Findings   []policy.Finding `json:"findings"`
	OnRead     string           `json:"on_read"`
	Encryption struct {
		Mode       string            `json:"mode"`
		KeyID      string            `json:"key_id"`
		Keyring    string            `json:"keyring"`
		Context    map[string]string `json:"context"`
		BucketKey  string            `json:"bucket_key"`
		OnConflict string            `json:"on_conflict"`
	} `json:"encryption"`
}

func (o *opa) decide(t *testing.T, in *policy.Input) opaDecision {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	set, err := o.query.Eval(context.Background(), oparego.EvalInput(document))
	if err != nil || len(set) != 1 {
		t.Fatalf("OPA: %v, %v", set, err)
	}
	return decodeDecision(t, set[0].Expressions[0].Value)
}

func decodeDecision(t *testing.T, value any) opaDecision {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var d opaDecision
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(d.Findings, compareFindings)
	return d
}

func compareFindings(a, b policy.Finding) int { return strings.Compare(key(a), key(b)) }

func key(f policy.Finding) string {
	return strings.Join([]string{f.ID, f.Message, f.Path, f.Action, f.Waiver}, "|")
}

// binary has the stock opa binary decide inputs, all in one run.
func binary(t *testing.T, files map[string]string, inputs []*policy.Input) []opaDecision {
	t.Helper()
	path, err := servers.Binary("opa")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"eval", "-f", "json", "--strict-builtin-errors"}
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-d", file)
	}
	data, err := json.Marshal(map[string]any{"agreement": map[string]any{"inputs": inputs}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "inputs.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-d", file, "[d | some i in data.agreement.inputs; d := "+entrypoint+" with input as i]")
	var out, problems bytes.Buffer
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		t.Fatalf("opa eval: %v\n%s%s", err, problems.Bytes(), out.Bytes())
	}
	var result struct {
		Result []struct {
			Expressions []struct{ Value []any }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Result) != 1 || len(result.Result[0].Expressions[0].Value) != len(inputs) {
		t.Fatalf("opa eval gave %s", fmt.Sprintf("%.300s", out.Bytes()))
	}
	var list []opaDecision
	for _, v := range result.Result[0].Expressions[0].Value {
		list = append(list, decodeDecision(t, v))
	}
	return list
}
