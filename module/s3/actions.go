package s3

import "strings"

// versionActions are the actions that replace the plain one when a version is
// named (service authorization reference).
var versionActions = map[string]string{
	"GetObject":           "s3:GetObjectVersion",
	"HeadObject":          "s3:GetObjectVersion",
	"GetObjectAttributes": "s3:GetObjectVersionAttributes",
	"GetObjectAcl":        "s3:GetObjectVersionAcl",
	"GetObjectTagging":    "s3:GetObjectVersionTagging",
	"PutObjectAcl":        "s3:PutObjectVersionAcl",
	"PutObjectTagging":    "s3:PutObjectVersionTagging",
	"DeleteObject":        "s3:DeleteObjectVersion",
	"DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
}

// Actions returns the IAM actions the request needs on its own bucket or
// object, the operation's first. It is empty for OptionsPreflight. The keys of
// DeleteObjects and the fields of PostObject are in the body and come on top:
// see [ObjectIdentifier.Action].
//
// A copy with the default tagging directive is not charged with tagging
// actions: S3 wants them only if the source has tags, which is not known here.
func (r *Request) Actions() []string {
	if r.Op.Action == "" {
		return nil
	}
	actions := make([]string, 0, 4)
	main := r.Op.Action
	if r.VersionID != "" {
		if v, ok := versionActions[r.Op.Name]; ok {
			main = v
		}
	}
	actions = append(actions, main)
	switch r.Op.Name {
	case "GetObjectAttributes":
		read := "s3:GetObject"
		if r.VersionID != "" {
			read = "s3:GetObjectVersion"
		}
		actions = append(actions, read)
	case "PutObject", "CopyObject", "CreateMultipartUpload":
		actions = r.objectWriteActions(actions)
	case "CreateBucket":
		actions = r.createBucketActions(actions)
	}
	if r.switchedOn("X-Amz-Bypass-Governance-Retention") {
		actions = append(actions, bypassRetention)
	}
	return actions
}

// objectWriteActions adds what the headers of a new object ask for.
func (r *Request) objectWriteActions(actions []string) []string {
	if r.Header.Get("X-Amz-Tagging") != "" || r.Header.Get("X-Amz-Tagging-Directive") == "COPY" {
		actions = append(actions, "s3:PutObjectTagging")
	}
	if r.grantsAccess() {
		actions = append(actions, "s3:PutObjectAcl")
	}
	// The SDK model names no action for event holds; they are a kind of retention.
	if r.hasAny("X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Event-Hold",
		"X-Amz-Object-Lock-Event-Hold-Duration-Days", "X-Amz-Object-Lock-Event-Hold-Duration-Years") {
		actions = append(actions, "s3:PutObjectRetention")
	}
	if r.hasAny("X-Amz-Object-Lock-Legal-Hold") {
		actions = append(actions, "s3:PutObjectLegalHold")
	}
	if r.Header.Get("X-Amz-Object-Annotation-Directive") == "COPY" {
		actions = append(actions, "s3:PutObjectAnnotation")
	}
	return actions
}

// createBucketActions adds what CreateBucket's headers ask for (API reference,
// CreateBucket, "Permissions").
func (r *Request) createBucketActions(actions []string) []string {
	if r.grantsAccess() {
		actions = append(actions, "s3:PutBucketAcl")
	}
	if r.switchedOn("X-Amz-Bucket-Object-Lock-Enabled") {
		actions = append(actions, "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
	}
	if r.hasAny("X-Amz-Object-Ownership") {
		actions = append(actions, "s3:PutBucketOwnershipControls")
	}
	return actions
}

// SourceActions returns the IAM actions a copy needs on its source, nil for
// other operations.
func (r *Request) SourceActions() []string {
	if r.CopySource == nil {
		return nil
	}
	read, readTags := "s3:GetObject", "s3:GetObjectTagging"
	if r.CopySource.VersionID != "" {
		read, readTags = "s3:GetObjectVersion", "s3:GetObjectVersionTagging"
	}
	actions := []string{read}
	if r.Header.Get("X-Amz-Tagging-Directive") == "COPY" {
		actions = append(actions, readTags)
	}
	if r.Header.Get("X-Amz-Object-Annotation-Directive") == "COPY" {
		actions = append(actions, "s3:GetObjectAnnotation")
	}
	return actions
}

// grantsAccess reports whether a header sets an ACL.
func (r *Request) grantsAccess() bool {
	return r.hasAny("X-Amz-Acl", "X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp",
		"X-Amz-Grant-Write", "X-Amz-Grant-Write-Acp")
}

// switchedOn reports whether a header says anything but "false": stores differ in
// what else they take for "true".
func (r *Request) switchedOn(name string) bool {
	v := r.Header.Get(name)
	return v != "" && !strings.EqualFold(v, "false")
}

func (r *Request) hasAny(names ...string) bool {
	for _, n := range names {
		if _, ok := r.Header[n]; ok {
			return true
		}
	}
	return false
}
