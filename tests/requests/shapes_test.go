package requests

// shape is one request as a client sends it, apart from its signature, which is
// made anew: headers as seen on the wire over TLS, in the versions named. Headers
// that policy does not see (User-Agent and the like) are left out.
type shape struct {
	name   string // of the file it is recorded in
	method string
	target string
	// payload is x-amz-content-sha256; empty means the hash of the body.
	payload string
	header  []string // "Name: value"
	body    string
	signing signing
}

// signing says where the signature is.
type signing int

const (
	inHeader  signing = iota
	inQuery           // a presigned URL that lives an hour
	inForm            // a POST policy
	anonymous         // nowhere
)

const (
	unsigned            = "UNSIGNED-PAYLOAD"
	unsignedTrailer     = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	kmsKey              = "arn:aws:kms:eu-central-1:111122223333:key/main"
	helloChunks         = "5\r\nhello\r\n0\r\n"
	crc32Trailer        = "x-amz-checksum-crc32:NhCmhg==\r\n\r\n"
	sha256Trailer       = "x-amz-checksum-sha256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\r\n\r\n"
	completeDocument    = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	deleteDocument      = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>dir/a</Key></Object><Object><Key>dir/b</Key></Object></Delete>`
	encryptionDocument  = `<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`
	versioningDocument  = `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status></VersioningConfiguration>`
	replicationDocument = `<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Role>arn:aws:iam::111122223333:role/replication</Role><Rule><ID>all</ID><Priority>1</Priority><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::mirror</Bucket></Destination></Rule></ReplicationConfiguration>`
	holdDocument        = `<LegalHold xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>OFF</Status></LegalHold>`
	inventoryDocument   = `<InventoryConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Destination><S3BucketDestination><Bucket>arn:aws:s3:::reports</Bucket><Format>CSV</Format><Encryption><SSE-S3/></Encryption></S3BucketDestination></Destination><IsEnabled>true</IsEnabled><Id>report</Id><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Weekly</Frequency></Schedule></InventoryConfiguration>`
	openPolicy          = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}`
)

// trailer are the headers of botocore and of the SDK for Go, which send a checksum
// behind the body.
func trailer(algorithm, name string) []string {
	return []string{
		"Content-Encoding: aws-chunked", "X-Amz-Decoded-Content-Length: 5",
		"X-Amz-Sdk-Checksum-Algorithm: " + algorithm, "X-Amz-Trailer: x-amz-checksum-" + name,
	}
}

var shapes = []shape{
	// aws-cli 1.45 and boto3 1.43
	{name: "aws-cli-put", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, header: trailer("CRC32", "crc32"), body: helloChunks + crc32Trailer},
	{name: "aws-cli-get", method: "GET", target: "/data/dir/f", header: []string{"X-Amz-Checksum-Mode: ENABLED"}},
	{name: "aws-cli-list", method: "GET", target: "/data?list-type=2&prefix=dir%2F&delimiter=%2F&encoding-type=url"},
	{
		name: "aws-cli-put-kms", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, body: helloChunks + crc32Trailer,
		header: append(trailer("CRC32", "crc32"), "X-Amz-Server-Side-Encryption: aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: "+kmsKey),
	},
	{name: "aws-cli-multipart-create", method: "POST", target: "/data/dir/big?uploads", header: []string{"X-Amz-Checksum-Algorithm: CRC32"}},
	{name: "aws-cli-multipart-part", method: "PUT", target: "/data/dir/big?uploadId=uid&partNumber=1", payload: unsignedTrailer, header: trailer("CRC32", "crc32"), body: helloChunks + crc32Trailer},
	{name: "aws-cli-multipart-complete", method: "POST", target: "/data/dir/big?uploadId=uid", body: completeDocument},
	{name: "aws-cli-multipart-abort", method: "DELETE", target: "/data/dir/big?uploadId=uid"},
	{name: "aws-cli-copy", method: "PUT", target: "/data/dir/copy", header: []string{"X-Amz-Copy-Source: data/dir/f"}},
	{name: "aws-cli-delete", method: "DELETE", target: "/data/dir/f"},
	{
		name: "aws-cli-delete-many", method: "POST", target: "/data?delete", body: deleteDocument,
		header: []string{"X-Amz-Checksum-Crc32: lOoXrQ==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"},
	},
	{name: "aws-cli-bucket-policy", method: "PUT", target: "/data?policy", body: openPolicy, header: []string{"X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-Checksum-Crc32: OfvFHA=="}},
	{name: "aws-cli-put-public", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, header: append(trailer("CRC32", "crc32"), "X-Amz-Acl: public-read"), body: helloChunks + crc32Trailer},
	{name: "aws-cli-bucket-encryption", method: "PUT", target: "/data?encryption", body: encryptionDocument, header: []string{"X-Amz-Checksum-Crc32: 2516AQ==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"}},
	{name: "aws-cli-bucket-encryption-delete", method: "DELETE", target: "/data?encryption"},
	{name: "aws-cli-bucket-versioning", method: "PUT", target: "/data?versioning", body: versioningDocument, header: []string{"X-Amz-Checksum-Crc32: gZ/csg==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"}},
	{name: "aws-cli-bucket-replication", method: "PUT", target: "/data?replication", body: replicationDocument, header: []string{"X-Amz-Checksum-Crc32: N65wtA==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"}},
	{name: "aws-cli-legal-hold", method: "PUT", target: "/data/dir/f?legal-hold", body: holdDocument, header: []string{"X-Amz-Checksum-Crc32: SWq6zg==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"}},
	{
		name: "aws-cli-put-sse-c", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, body: helloChunks + crc32Trailer,
		header: append(trailer("CRC32", "crc32"), "X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256",
			"X-Amz-Server-Side-Encryption-Customer-Key: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "X-Amz-Server-Side-Encryption-Customer-Key-Md5: hRasmdxgYDKV3nvbahU1MA=="),
	},
	{
		name: "aws-cli-bucket-inventory", method: "PUT", target: "/data?inventory&id=report", body: inventoryDocument,
		header: []string{"X-Amz-Checksum-Crc32: pe/0dQ==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"},
	},
	{name: "boto3-put", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, header: trailer("CRC32", "crc32"), body: helloChunks + crc32Trailer},
	{name: "boto3-put-sha256", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, header: trailer("SHA256", "sha256"), body: helloChunks + sha256Trailer},
	{
		// {"tenant":"blue","user":"ann@example.com"}
		name: "boto3-put-context", method: "PUT", target: "/data/dir/f", payload: unsignedTrailer, body: helloChunks + crc32Trailer,
		header: append(trailer("CRC32", "crc32"), "X-Amz-Server-Side-Encryption: aws:kms", "X-Amz-Server-Side-Encryption-Context: eyJ0ZW5hbnQiOiJibHVlIiwidXNlciI6ImFubkBleGFtcGxlLmNvbSJ9"),
	},
	{name: "boto3-presigned-get", method: "GET", target: "/data/dir/f", signing: inQuery},
	{name: "boto3-presigned-put", method: "PUT", target: "/data/dir/f", signing: inQuery, body: "hello"},
	{name: "boto3-post-form", method: "POST", target: "/data", signing: inForm, body: "hello"},
	// aws-sdk-go-v2, with its default configuration
	{name: "go-sdk-put", method: "PUT", target: "/data/dir/f?x-id=PutObject", payload: unsignedTrailer, header: append(trailer("CRC32", "crc32"), "Content-Type: application/octet-stream"), body: helloChunks + crc32Trailer},
	{name: "go-sdk-get", method: "GET", target: "/data/dir/f?x-id=GetObject", header: []string{"X-Amz-Checksum-Mode: ENABLED"}},
	// @aws-sdk/client-s3 3.1168
	{
		name: "js-put", method: "PUT", target: "/data/dir/f?x-id=PutObject", body: "hello",
		header: []string{"Content-Type: application/octet-stream", "X-Amz-Checksum-Crc32: NhCmhg==", "X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-User-Agent: aws-sdk-js/3.1168.0"},
	},
	{
		name: "js-delete-many", method: "POST", target: "/data?delete=", body: deleteDocument,
		header: []string{"Content-Type: application/xml", "X-Amz-Checksum-Crc32: lOoXrQ==", "X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-User-Agent: aws-sdk-js/3.1168.0"},
	},
	// minio-go 7
	{name: "minio-go-put", method: "PUT", target: "/data/dir/f", payload: unsigned, header: []string{"Content-Type: application/octet-stream"}, body: "hello"},
	// rclone 1.60
	{
		name: "rclone-put", method: "PUT", target: "/data/dir/f", payload: unsigned, body: "hello",
		header: []string{"Content-Md5: XUFAKrxLKna5cZ2REBfFkg==", "Content-Type: application/octet-stream", "X-Amz-Acl: private", "X-Amz-Meta-Mtime: 1795447372.226649989"},
	},
	{name: "rclone-head", method: "HEAD", target: "/data/dir/f"},
	// restic 0.14
	{name: "restic-put", method: "PUT", target: "/data/repo/config", payload: unsigned, header: []string{"Content-Md5: XUFAKrxLKna5cZ2REBfFkg==", "Content-Type: application/octet-stream"}, body: "hello"},
	{name: "restic-list", method: "GET", target: "/data/?delimiter=%2F&encoding-type=url&fetch-owner=true&list-type=2&prefix=repo%2Fkeys%2F"},
	// s3cmd 2.3
	{
		name: "s3cmd-put", method: "PUT", target: "/data/dir/f", body: "hello",
		header: []string{"Content-Type: text/plain", "X-Amz-Meta-S3cmd-Attrs: md5:5d41402abc4b2a76b9719d911017c592", "X-Amz-Storage-Class: STANDARD"},
	},
	// a browser
	{name: "anonymous-get", method: "GET", target: "/data/dir/f", signing: anonymous},
}
