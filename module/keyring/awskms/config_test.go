package awskms

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config Config
		want   string
	}{
		"no key":                  {Config{}, "is not the ARN of a key"},
		"a key id":                {Config{Key: "1234abcd-12ab-34cd-56ef-1234567890ab"}, "is not the ARN of a key"},
		"an alias":                {Config{Key: "alias/payments"}, "aws kms describe-key"},
		"the ARN of an alias":     {Config{Key: "arn:aws:kms:eu-central-1:111122223333:alias/payments"}, "aws kms describe-key"},
		"the ARN of a bucket":     {Config{Key: "arn:aws:s3:::bucket"}, "is not the ARN of a key"},
		"a short account":         {Config{Key: "arn:aws:kms:eu-central-1:1111:key/1234"}, "is not the ARN of a key"},
		"an ARN with more":        {Config{Key: arnA + "/x"}, "is not the ARN of a key"},
		"an old alias":            {Config{Key: arnA, Old: []string{"alias/payments"}}, "aws kms describe-key"},
		"a key twice":             {Config{Key: arnA, Old: []string{arnA}}, "is listed twice"},
		"region of a single key":  {Config{Key: arnA, Region: "eu-west-1"}, "in one region only"},
		"two regions, 1 endpoint": {Config{Key: arnA, Old: []string{strings.Replace(arnB, "eu-central-1", "eu-west-1", 1)}, Endpoint: "https://kms.example.org"}, "cannot share one endpoint"},
		"plaintext":               {Config{Key: arnA, Endpoint: "http://kms.example.org"}, "in plaintext over a network"},
		"no URL":                  {Config{Key: arnA, Endpoint: "kms.example.org"}, "is not an https:// URL"},
		"a URL with a path":       {Config{Key: arnA, Endpoint: "https://kms.example.org/x"}, "has a path or query"},
		"a URL with a password":   {Config{Key: arnA, Endpoint: "https://u:hidden@kms.example.org"}, "a user name or password is not accepted"},
		"negative time-out":       {Config{Key: arnA, Timeout: -1}, "timeout -1ns"},
		"endless time-out":        {Config{Key: arnA, Timeout: time.Hour}, "timeout 1h0m0s"},
		"negative age":            {Config{Key: arnA, Reuse: &Reuse{MaxAge: -1}}, "max_age -1ns"},
		"endless age":             {Config{Key: arnA, Reuse: &Reuse{MaxAge: 25 * time.Hour}}, "max_age 25h0m0s"},
		"negative number":         {Config{Key: arnA, Reuse: &Reuse{MaxObjects: -1}}, "max_objects -1"},
		"endless number":          {Config{Key: arnA, Reuse: &Reuse{MaxObjects: 1e9}}, "max_objects 1000000000"},
		"no access key":           {Config{Key: arnA, Credentials: &Credentials{Secret: NewSecret("hidden")}}, "the access key or the secret is empty"},
		"no secret":               {Config{Key: arnA, Credentials: &Credentials{AccessKey: "AKID"}}, "the access key or the secret is empty"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := New(tt.config)
			if err == nil {
				k.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]Config{
		"minimal":             {Key: arnA},
		"other partitions":    {Key: "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234", Old: []string{"arn:aws-cn:kms:cn-north-1:111122223333:key/1234"}},
		"its own region":      {Key: arnA, Region: "eu-central-1"},
		"a replica":           {Key: arnReplica, Region: "us-east-1", Old: []string{arnA}},
		"a private endpoint":  {Key: arnA, Endpoint: "https://vpce-1.kms.eu-central-1.vpce.amazonaws.com/"},
		"on this machine":     {Key: arnA, Endpoint: "http://localhost:4566"},
		"the greatest limits": {Key: arnA, Timeout: maxTimeout, Reuse: &Reuse{MaxAge: maxMaxAge, MaxObjects: maxMaxObjects}},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			k.Close()
		})
	}
}

func TestSecretIsRedacted(t *testing.T) {
	t.Parallel()
	secret := NewSecret("hidden")
	inside := struct{ secret Secret }{secret}
	js, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %#v %s %s %s", secret, secret, secret, secret, secret, secret, inside, inside, inside, js, log.String(), Credentials{"AKID", secret})
	if strings.Contains(all, "hidden") || strings.Contains(all, fmt.Sprintf("%x", "hidden")) || !strings.Contains(all, redacted) {
		t.Errorf("got %s", all)
	}
	if secret.Reveal() != "hidden" || (Secret{}).Reveal() != "" {
		t.Error("Reveal gives another value")
	}
}
