module go.opentelemetry.io/collector/internal/statusutil

go 1.25.0

require (
	google.golang.org/genproto/googleapis/rpc v0.0.0-20240701130421-f6361c86f094
	google.golang.org/grpc v1.65.0
)
