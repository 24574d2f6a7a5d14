package tests

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// inThePast presigns as of two hours ago.
type inThePast struct{ *v4.Signer }

func (s inThePast) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, options ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	options = append(options, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return s.Signer.PresignHTTP(ctx, c, r, hash, service, region, time.Now().Add(-2*time.Hour), options...)
}

// raw sets a header of an SDK call that the SDK has no field for.
func raw(name, value string) func(*s3.Options) {
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Build.Add(setHeader(name, value), middleware.After)
	})
}

// setHeader sets a header before the request is signed.
func setHeader(name, value string) middleware.BuildMiddleware {
	return middleware.BuildMiddlewareFunc("set "+name, func(
		ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler,
	) (middleware.BuildOutput, middleware.Metadata, error) {
		req, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.BuildOutput{}, middleware.Metadata{}, fmt.Errorf("request is a %T", in.Request)
		}
		req.Header.Set(name, value)
		return next.HandleBuild(ctx, in)
	})
}
