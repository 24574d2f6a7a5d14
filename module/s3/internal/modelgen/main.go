// Command modelgen writes model_gen.go: for every operation of the S3 SDK
// model its method, scope, query names and bound request headers. It reads the
// generated serializers of aws-sdk-go-v2's S3 client as source, from the module
// cache, and does not import them.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
)

func main() {
	out := flag.String("o", "model_gen.go", "file to write")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*out); err != nil {
		log.Fatalf("modelgen: %v", err)
	}
}

func run(out string) error {
	dir, err := sdkDir()
	if err != nil {
		return err
	}
	src, err := generate(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, src, 0o644); err != nil {
		return fmt.Errorf("writing model: %w", err)
	}
	return nil
}
