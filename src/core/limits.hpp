// Every bound that a client can run into, with its unit and why it is what it is. A configuration
// key of the same name (dots for the first underscore) may lower or raise it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace soma::limits {

// Request line and headers together. Browsers send 1-2 KiB; a large cookie jar reaches 8 KiB.
inline constexpr std::size_t http_header_bytes_max = 16 * 1024;
// More fields than any real client sends; each one costs a scan.
inline constexpr std::size_t http_header_count_max = 100;
// Path segments looked at by the router; the longest route has six.
inline constexpr std::size_t http_path_segments_max = 16;
// Parameters in a query; the richest route knows six.
inline constexpr std::size_t http_query_parameters_max = 32;
// What one read may take beyond the headers: body bytes and pipelined requests.
inline constexpr std::size_t http_read_bytes = 16 * 1024;
// A JSON body, unless its route says otherwise: a message of 256 Ki characters, escaped.
inline constexpr std::size_t http_body_bytes_max = 2 * 1024 * 1024;
// An imported session: NDJSON with attachments, read in pieces and never held whole.
inline constexpr std::uint64_t http_import_bytes_max = 1024ull * 1024 * 1024;
// Nesting of a JSON body: the parser recurses, and no schema of ours passes eight.
inline constexpr std::size_t http_json_depth_max = 32;
// Violations listed in one answer; the first few are what a person reads.
inline constexpr std::size_t http_schema_errors_max = 16;
// Sockets of clients, streams included: below the common hard limit of 20,000 open files.
inline constexpr std::size_t http_connections_max = 16'384;
// From the first byte of a request to the end of its headers (slowloris).
inline constexpr int http_header_timeout_ms = 10'000;
// Between two reads of a body that is read in pieces, and for a whole body otherwise.
inline constexpr int http_body_timeout_ms = 30'000;
// Between two requests of a connection: above the 60 s of common proxies, so that they close first.
inline constexpr int http_idle_timeout_ms = 75'000;
// A peer that takes not one byte of an answer for this long is gone.
inline constexpr int http_write_timeout_ms = 30'000;
// After an answer that ends the connection: how long the client may be silent, and how long, how
// much and on how many connections of an io thread unread input is dropped in all. Clients that
// read the answer only after their whole body went out get to see it.
inline constexpr int http_linger_timeout_ms = 1'000;
inline constexpr int http_linger_total_ms = 10'000;
inline constexpr std::uint64_t http_linger_bytes_max = 16 * 1024 * 1024;
inline constexpr std::size_t http_lingering_max = 256;
// The same of connections that were one too many, each of which costs a descriptor.
inline constexpr std::size_t http_refused_lingering_max = 8;
// All bodies that are being read or served together, but for small ones: those are bounded by the
// number of connections. Values parsed from them take several times as much.
inline constexpr std::size_t http_bodies_bytes_max = 128 * 1024 * 1024;
inline constexpr std::size_t http_body_uncounted_bytes = 16 * 1024;
// A body up to this size is parsed on the io thread: below a millisecond.
inline constexpr std::size_t http_body_on_io_bytes = 64 * 1024;
// Of buffers that a connection keeps from one request to the next.
inline constexpr std::size_t http_kept_bytes_max = 64 * 1024;
// A sign-in's body: a key or a token, and room for what a client adds of white space.
inline constexpr std::size_t http_login_bytes_max = 4 * 1024;
// Requests without an identity that have a body or are at fault, of one address, a second and io
// thread, and how many at once: a page that is loaded sends a handful.
inline constexpr unsigned http_strangers_per_s = 50;
inline constexpr unsigned http_strangers_burst_s = 10;
inline constexpr std::size_t http_stranger_addresses_max = 4096;
// Members of one JSON object that comes from outside: see core/json_bounds.hpp.
inline constexpr std::size_t json_object_members_max = 4096;
// Of one memory: more of a message than a model is ever given back. The event has all of it.
inline constexpr std::size_t memory_text_bytes_max = 64 * 1024;
// How long a graceful stop waits for running requests and streams.
inline constexpr int http_stop_timeout_ms = 10'000;

}  // namespace soma::limits
