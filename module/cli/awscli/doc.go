// Package awscli reads a command line of the AWS CLI and says which S3 requests it
// sends. It sends none, reads no configuration and knows nothing of policy: it is how
// `sealgate policy try --aws` understands a request as a person would write it.
//
//	requests, err := awscli.Parse("s3 cp report.pdf s3://data/2026/ --sse aws:kms", awscli.Defaults{})
//
// The requests are those of version 2 of the AWS CLI: a file larger than 8 MiB is an
// upload in parts, a copy between buckets is a CopyObject after a look at its source,
// and a command that works on many objects is shown on one. An option that the command
// does not have is a *UsageError: guessing what it does would answer another question.
package awscli
