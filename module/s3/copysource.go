package s3

import "strings"

// CopySource names the object a copy reads.
type CopySource struct{ Bucket, Key, VersionID string }

// ParseCopySource reads an x-amz-copy-source value: an optional "/", the
// bucket, "/", the key, both percent-encoded, and an optional
// "?versionId=...". A "?" inside the key must be encoded. Access point ARNs
// are an [ErrNotImplemented].
func ParseCopySource(v string) (CopySource, error) {
	rawPath, query, versioned := strings.Cut(v, "?")
	path, ok := decodeText(rawPath)
	if !ok {
		return CopySource{}, invalidCopySource("The copy source is not percent-encoded UTF-8 text")
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if strings.HasPrefix(bucket, "arn:") {
		return CopySource{}, ErrNotImplemented.WithMessage("Access point ARNs are not supported.")
	}
	if !ok || bucket == "" || key == "" {
		return CopySource{}, invalidCopySource("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	if err := checkBucket(bucket); err != nil {
		return CopySource{}, err
	}
	if err := checkKeyLength(key); err != nil {
		return CopySource{}, err
	}
	c := CopySource{Bucket: bucket, Key: key}
	if !versioned {
		return c, nil
	}
	rawVersion, ok := strings.CutPrefix(query, "versionId=")
	version, okVersion := decodeText(rawVersion)
	if !ok || !okVersion || version == "" || strings.ContainsAny(rawVersion, "?&+;") {
		return CopySource{}, invalidCopySource("Invalid copy source query: only versionId is allowed")
	}
	c.VersionID = version
	return c, nil
}

func invalidCopySource(message string) *Error {
	return ErrInvalidArgument.WithMessage(message).With("ArgumentName", "x-amz-copy-source")
}

// Header returns the canonical header value: bucket/key in AWS encoding, and
// the version where there is one. ParseCopySource reads it back unchanged.
func (c CopySource) Header() string {
	s := c.Bucket + "/" + EscapePath(c.Key)
	if c.VersionID != "" {
		s += "?versionId=" + EscapeQuery(c.VersionID)
	}
	return s
}
