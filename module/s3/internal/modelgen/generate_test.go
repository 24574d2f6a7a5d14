package main

import (
	"bytes"
	"os"
	"testing"
)

// TestModelIsCurrent regenerates the model from the SDK in go.mod and compares
// it with the committed file, so that a new SDK cannot be taken without it.
func TestModelIsCurrent(t *testing.T) {
	t.Parallel()
	dir, err := sdkDir()
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../model_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("model_gen.go differs from the SDK: run go generate ./module/s3")
	}
}

func TestGenerateRefusesOtherSource(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"not Go":               "hello",
		"no operations":        "package s3\n",
		"bindings only":        "package s3\nfunc awsRestxml_serializeOpHttpBindingsPutObjectInput() {}\n",
		"serializer, no route": "package s3\nfunc (m *awsRestxml_serializeOpPutObject) HandleSerialize() {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(dir+"/serializers.go", []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := generate(dir); err == nil {
				t.Error("generate accepted it")
			}
		})
	}
}
