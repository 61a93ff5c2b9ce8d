// What a server of the Model Context Protocol may cost: each bound with its reason. Whatever a
// server sends past one is refused, and where it goes on the connection ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace soma::tools::mcp::limits {

using namespace std::chrono_literals;

// Of the configuration, and of each tenant's own: a server costs a connection or a process.
inline constexpr std::size_t servers_max = 64, tenant_servers_max = 16;
// Programs, over all tenants: they stand in the sandbox for good, which runs 64 at once.
inline constexpr std::size_t programs_max = 24;
// Providers take 128 tools at most, over all servers; a list beyond this is a fault.
inline constexpr std::size_t tools_max = 256;
// Pages of one list of tools, so that cursors that go round end.
inline constexpr int pages_max = 64;
inline constexpr std::size_t cursor_bytes_max = 4096;
// One message, either way: a line, a body, or the data of one event. Results are text of a few
// kilobytes; images are the largest.
inline constexpr std::size_t message_bytes_max = 8u << 20;
// All pages of one list of tools: reading them is work for the thread of all servers.
inline constexpr std::size_t list_bytes_max = message_bytes_max;
// Nesting of a message: the parser recurses.
inline constexpr std::size_t message_depth_max = 64;
// Messages of one batch, which revision 2025-03-26 has.
inline constexpr std::size_t batch_max = 64;
// What an id of the catalog leaves to a name: `mcp.<server>.<tool>` in 128 bytes.
inline constexpr std::size_t server_name_bytes_max = 32, tool_name_bytes_max = 91;
inline constexpr std::size_t title_bytes_max = 256, description_bytes_max = 4096;
// Errors and reasons of servers, as they are shown.
inline constexpr std::size_t detail_bytes_max = 512;
// Of one server, over all tenants; others are told that it is busy.
inline constexpr std::size_t calls_in_flight_max = 64;
inline constexpr int progress_max = 256;  // notifications of one call that are passed on
// Lines that are no message, answers that nobody waits for and the like, within the window: some
// servers print a banner, or their log.
inline constexpr std::size_t stray_messages_max = 1000;
inline constexpr auto stray_window = 60s;
inline constexpr std::size_t stray_bytes = 64 * 1024;  // a longer one counts as so many
// What a program wrote and nobody has read yet, and what waits to be written to it.
inline constexpr std::size_t unread_bytes_max = 32u << 20, unwritten_bytes_max = 16u << 20;
// Answers to a server's own requests that are on their way, over HTTP.
inline constexpr int replies_in_flight_max = 8;
inline constexpr std::size_t header_bytes_max = 64 * 1024, session_id_bytes_max = 1024;
// A program with an interpreter takes seconds to start; a server that knows nothing of the probe
// may be silent until it is asked otherwise.
inline constexpr auto probe_timeout = 8s, handshake_timeout = 20s, list_timeout = 30s;
inline constexpr auto connect_timeout = 10s;
// After a call that was given up: one that does its work in one thread may still be at it.
inline constexpr auto ping_timeout = 30s;
inline constexpr auto retry_first = 500ms, retry_most = 60'000ms;
// After this long a connection counts as sound, and the next wait is the first again.
inline constexpr auto sound_after = 30s;
// Between two lists of tools, whatever a server announces: each list is read and judged anew.
inline constexpr auto list_gap = 3s;
// A stream that ended is asked for again after what the server wants, within these.
inline constexpr auto resume_least = 100ms, resume_default = 1000ms, resume_most = 60'000ms;
inline constexpr auto aside_timeout = 10s;  // of a request that has no answer
inline constexpr int resumes_max = 16;      // of one request, without an event in between
inline constexpr std::size_t stderr_bytes_kept = 2048;
// What a program may write there within the window: a chatty log, not an endless loop.
inline constexpr std::size_t stderr_bytes_a_window = 16u << 20;
// Between a broken pipe and the end of the program that broke it.
inline constexpr auto end_after_input = 500ms;

}  // namespace soma::tools::mcp::limits
