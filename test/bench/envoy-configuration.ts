/** Envoy's static configuration for the layer-4 bench: original destination in, mutual TLS between, source address kept. */
import type { BenchSetting } from "./target.ts";

export interface EnvoyFiles {
  readonly ca: string;
  readonly key: string;
  readonly certificate: string;
  readonly accessLog: string;
}

export const EXTENSION = "type.googleapis.com/envoy.extensions";
/** The port of the tunnel for each port that the origin serves. */
export const TUNNEL_OFFSET = 10_000;
const SOL_SOCKET = 1;
const SO_MARK = 36;
export const MARK = [
  { level: SOL_SOCKET, name: SO_MARK, int_value: 0x539, state: "STATE_PREBIND" },
];

export function envoyClient(
  { server, httpPort, bulkPort }: BenchSetting,
  files: EnvoyFiles,
): object {
  const listener = {
    name: "outbound",
    address: socketAddress("0.0.0.0", 15001),
    listener_filters: [
      {
        name: "envoy.filters.listener.original_dst",
        typed_config: {
          "@type": `${EXTENSION}.filters.listener.original_dst.v3.OriginalDst`,
        },
      },
    ],
    filter_chains: [httpPort, bulkPort].map((port) => ({
      filter_chain_match: { destination_port: port },
      filters: [tcpProxy(`to-${port}`, files)],
    })),
  };
  const clusters = [httpPort, bulkPort].map((port) => ({
    ...cluster(`to-${port}`, server.address, port + TUNNEL_OFFSET),
    upstream_bind_config: {
      source_address: { address: "0.0.0.0", port_value: 0 },
      socket_options: MARK,
    },
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": `${EXTENSION}.transport_sockets.tls.v3.UpstreamTlsContext`,
        ...tls(files),
      },
    },
  }));
  return { static_resources: { listeners: [listener], clusters } };
}

export function envoyServer(
  { server, httpPort, bulkPort }: BenchSetting,
  files: EnvoyFiles,
): object {
  const listeners = [httpPort, bulkPort].map((port) => ({
    name: `inbound-${port}`,
    address: socketAddress("0.0.0.0", port + TUNNEL_OFFSET),
    listener_filters: [
      {
        name: "envoy.filters.listener.original_src",
        typed_config: {
          "@type": `${EXTENSION}.filters.listener.original_src.v3.OriginalSrc`,
          mark: 0x539,
        },
      },
    ],
    filter_chains: [
      {
        transport_socket: {
          name: "tls",
          typed_config: {
            "@type": `${EXTENSION}.transport_sockets.tls.v3.DownstreamTlsContext`,
            ...tls(files),
            require_client_certificate: true,
          },
        },
        filters: [tcpProxy(`origin-${port}`, files)],
      },
    ],
  }));
  const clusters = [httpPort, bulkPort].map((port) =>
    cluster(`origin-${port}`, server.address, port),
  );
  return { static_resources: { listeners, clusters } };
}

function tcpProxy(name: string, { accessLog }: EnvoyFiles): object {
  return {
    name: "tcp",
    typed_config: {
      "@type": `${EXTENSION}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: name,
      cluster: name,
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

export function cluster(name: string, address: string, port: number): object {
  const endpoint = { endpoint: { address: socketAddress(address, port) } };
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

export function tls({ ca, key, certificate }: EnvoyFiles, alpn = "weft-bench"): object {
  return {
    common_tls_context: {
      tls_params: {
        tls_minimum_protocol_version: "TLSv1_3",
        tls_maximum_protocol_version: "TLSv1_3",
      },
      alpn_protocols: [alpn],
      tls_certificates: [
        { certificate_chain: { filename: certificate }, private_key: { filename: key } },
      ],
      validation_context: { trusted_ca: { filename: ca } },
    },
  };
}

export function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
