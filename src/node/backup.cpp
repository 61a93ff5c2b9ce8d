#include "node/backup.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/codes.hpp"
#include "core/shown_text.hpp"

namespace soma {
namespace {

constexpr const char* socket_name = "backup.sock";
constexpr std::string_view done = "made ", failed = "failed ", under_way = "copied ";

std::string megabytes(std::uint64_t bytes) {
  return std::to_string((bytes + 999'999) / 1'000'000) + " MB";
}

// The line is how many to keep, a space, and the folder.
void answer(backup::backup_keeper& keeper, const std::string& line, const tell_peer& tell) {
  std::size_t keep = 0;
  const auto space = std::min(line.find(' '), line.size());
  const auto number = std::from_chars(line.data(), line.data() + space, keep);
  const auto folder = line.substr(std::min(space + 1, line.size()));
  if (number.ec != std::errc() || number.ptr != line.data() + space || folder.empty() ||
      folder[0] != '/') {
    tell(std::string(failed) + "that is no request for a backup\n");
    return;
  }
  using clock = std::chrono::steady_clock;
  auto next = clock::now();
  const auto goes_on = [&](const backup::progress& now) {
    if (clock::now() < next) return true;
    next = clock::now() + std::chrono::seconds(1);
    return tell(std::string(under_way) + std::to_string(now.files) + " files, " +
                megabytes(now.bytes) + "\n");
  };
  std::vector<backup::left_out> damaged;
  const auto made = keeper.make(folder, keep, goes_on, &damaged);
  for (const auto& one : damaged) tell(plain_line(one.path) + ": " + one.why + "\n");
  tell(made ? std::string(done) + summary_of(*made) + "\n"
            : std::string(failed) + made.error().detail + "\n");
}

}  // namespace

std::string summary_of(const backup::backup_made& made) {
  auto text = made.info.id + ": " + std::to_string(made.info.files) + " files, " +
              megabytes(made.info.bytes) + ", of which " + megabytes(made.info.new_bytes) +
              " were new";
  if (!made.without.empty()) text += "; left out: " + std::to_string(made.without.size());
  if (!made.not_forgotten.empty()) text += "; older ones stay: " + made.not_forgotten;
  if (made.forgotten > 0) text += "; " + std::to_string(made.forgotten) + " older ones are gone";
  return text;
}

backup::backup_sources backup_sources_of(const config& settings, const storage::event_log& log) {
  return {log, settings.text("storage.data_dir")};
}

backup::keeper_options keeper_options_of(const config& settings) {
  backup::keeper_options options;
  options.folder = settings.text("backup.folder");
  options.bytes_per_s = static_cast<std::uint64_t>(settings.number("backup.mb_per_s")) * 1'000'000;
  options.keep = static_cast<std::size_t>(settings.number("backup.keep"));
  return options;
}

result<std::unique_ptr<local_door>> open_backup_door(const std::string& data_dir,
                                                     backup::backup_keeper& keeper) {
  return local_door::open(
      data_dir, socket_name, true,
      [&keeper](const std::string& line, const tell_peer& tell) { answer(keeper, line, tell); });
}

result<std::string> ask_for_backup(const std::string& data_dir, const std::string& folder,
                                   std::size_t keep,
                                   const std::function<void(const std::string&)>& told) {
  const auto unavailable = [](std::string why) {
    return error(codes::storage_unavailable, std::move(why));
  };
  if (folder.find('\n') != folder.npos) return unavailable("the folder's name has a line end");
  const auto peer = connect_to_local_door(data_dir, socket_name);
  if (!peer) return peer.error();
  const auto asked = std::to_string(keep) + " " + folder + "\n";
  if (send(peer->get(), asked.data(), asked.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(asked.size()))
    return unavailable("the server does not listen");
  line_source lines(peer->get());
  for (std::string line; lines.next(line);) {
    if (line.starts_with(done)) return line.substr(done.size());
    if (line.starts_with(failed)) return unavailable(line.substr(failed.size()));
    told(line);
  }
  return unavailable("the server ended before the backup was made");
}

}  // namespace soma
