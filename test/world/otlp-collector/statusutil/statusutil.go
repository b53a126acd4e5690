// Package statusutil stands in for the collector's internal module of that name, whose content not every module proxy
// gives: what a receiver answers that could not pass spans on, which no test here makes it do.
package statusutil

import (
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func NewStatusFromMsgAndHTTPCode(message string, code int) *status.Status {
	switch code {
	case http.StatusBadRequest:
		return status.New(codes.InvalidArgument, message)
	case http.StatusTooManyRequests:
		return status.New(codes.ResourceExhausted, message)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return status.New(codes.Unavailable, message)
	}
	return status.New(codes.Unknown, message)
}

func GetRetryInfo(from *status.Status) *errdetails.RetryInfo {
	for _, detail := range from.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info
		}
	}
	return nil
}
