package policy_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealgate/sealgate/policy"
)

func ExampleGeneration_Decide() {
	engine, err := policy.New(policy.Options{PostureFile: "testdata/posture.yaml", Timeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	decision, err := engine.Current().Decide(context.Background(), &policy.Input{
		Identity:  policy.Identity{AuthMethod: policy.AuthHeader, Verified: true, Principal: "app"},
		Request:   policy.Request{Operation: "PutObject", Action: "s3:PutObject", Class: policy.ClassWrite},
		Resource:  policy.Resource{Bucket: "data", Key: "kms/report.csv"},
		Transport: policy.Transport{TLS: true, TLSVersion: "1.3"},
	})
	var fault *policy.Fault
	switch {
	case errors.As(err, &fault):
		fmt.Println("503", fault.ID)
	case !decision.Allow:
		fmt.Println("403", decision.Findings)
	default:
		fmt.Println(decision.Encryption.Mode, decision.Encryption.KeyID)
	}
	// Output: sse-kms arn:aws:kms:eu-central-1:111122223333:key/main
}
