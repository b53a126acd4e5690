// The OpenTelemetry Collector's OTLP receiver, over HTTP at the address of its argument. What it takes is printed, a line
// of OTLP's JSON for each request, behind an empty one once it listens.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func main() {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = os.Args[1]
	settings := receivertest.NewNopSettings(factory.Type())
	printer, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
		fmt.Println(string(line))
		return err
	})
	check(err)
	receiver, err := factory.CreateTraces(context.Background(), settings, config, printer)
	check(err)
	check(receiver.Start(context.Background(), componenttest.NewNopHost()))
	fmt.Println("{}")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	check(receiver.Shutdown(context.Background()))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
