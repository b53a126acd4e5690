/**
 * Envoy's static configuration for the HTTP bench, as HTTP proxy on both hops: a route with retries at the caller's,
 * authorization by the caller's certificate at the server's, HTTP/2 over mutual TLS between, source address kept.
 */
import {
  cluster,
  type EnvoyFiles,
  EXTENSION,
  MARK,
  socketAddress,
  TUNNEL_OFFSET,
  tls,
} from "./envoy-configuration.ts";
import type { HttpSetting } from "./http-target.ts";

const HTTP_OPTIONS = `${EXTENSION}.upstreams.http.v3.HttpProtocolOptions`;

export function envoyHttpClient(setting: HttpSetting, files: EnvoyFiles): object {
  const { server } = setting;
  const ports = portsOf(setting);
  const listener = {
    name: "outbound",
    address: socketAddress("0.0.0.0", 15001),
    listener_filters: [listenerFilter("original_dst", "OriginalDst")],
    filter_chains: ports.map(({ port }) => ({
      filter_chain_match: { destination_port: port },
      filters: [connectionManager(`to-${port}`, files, [])],
    })),
  };
  const clusters = ports.map(({ port }) => ({
    ...cluster(`to-${port}`, server.address, port + TUNNEL_OFFSET),
    ...HTTP2,
    upstream_bind_config: {
      source_address: { address: "0.0.0.0", port_value: 0 },
      socket_options: MARK,
    },
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": `${EXTENSION}.transport_sockets.tls.v3.UpstreamTlsContext`,
        ...tls(files, "h2"),
      },
    },
  }));
  return { static_resources: { listeners: [listener], clusters } };
}

export function envoyHttpServer(setting: HttpSetting, files: EnvoyFiles): object {
  const { server } = setting;
  const ports = portsOf(setting);
  const listeners = ports.map(({ port }) => ({
    name: `inbound-${port}`,
    address: socketAddress("0.0.0.0", port + TUNNEL_OFFSET),
    listener_filters: [listenerFilter("original_src", "OriginalSrc", { mark: 0x539 })],
    filter_chains: [
      {
        transport_socket: {
          name: "tls",
          typed_config: {
            "@type": `${EXTENSION}.transport_sockets.tls.v3.DownstreamTlsContext`,
            ...tls(files, "h2"),
            require_client_certificate: true,
          },
        },
        filters: [connectionManager(`origin-${port}`, files, [AUTHORIZATION])],
      },
    ],
  }));
  const clusters = ports.map(({ port, isHttp2 }) => ({
    ...cluster(`origin-${port}`, server.address, port),
    ...(isHttp2 ? HTTP2 : {}),
  }));
  return { static_resources: { listeners, clusters } };
}

function portsOf({ httpPort, grpcPort }: HttpSetting) {
  return [
    { port: httpPort, isHttp2: false },
    { port: grpcPort, isHttp2: true },
  ];
}

const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": HTTP_OPTIONS,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

const AUTHORIZATION = {
  name: "rbac",
  typed_config: {
    "@type": `${EXTENSION}.filters.http.rbac.v3.RBAC`,
    rules: {
      action: "ALLOW",
      policies: {
        callers: {
          permissions: [{ any: true }],
          principals: [
            {
              authenticated: { principal_name: { exact: "spiffe://cluster.local/ns/a/sa/b" } },
            },
          ],
        },
      },
    },
  },
};

function listenerFilter(name: string, type: string, settings: object = {}): object {
  return {
    name: `envoy.filters.listener.${name}`,
    typed_config: { "@type": `${EXTENSION}.filters.listener.${name}.v3.${type}`, ...settings },
  };
}

function connectionManager(
  to: string,
  { accessLog }: EnvoyFiles,
  filters: readonly object[],
): object {
  const retries = { retry_on: "connect-failure,refused-stream", num_retries: 2 };
  const route = { cluster: to, timeout: "15s", retry_policy: retries };
  const host = { name: "any", domains: ["*"], routes: [{ match: { prefix: "/" }, route }] };
  const router = {
    name: "router",
    typed_config: { "@type": `${EXTENSION}.filters.http.router.v3.Router` },
  };
  return {
    name: "http",
    typed_config: {
      "@type": `${EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: to,
      route_config: { virtual_hosts: [host] },
      http_filters: [...filters, router],
      access_log: [
        {
          name: "file",
          typed_config: {
            "@type": `${EXTENSION}.access_loggers.file.v3.FileAccessLog`,
            path: accessLog,
          },
        },
      ],
    },
  };
}
