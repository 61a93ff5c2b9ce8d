#include "tools/sandbox/arguments.hpp"

#include <filesystem>
#include <initializer_list>

namespace soma::tools {
namespace {

using arguments = std::vector<std::string>;

void add(arguments& to, std::initializer_list<std::string> words) {
  to.insert(to.end(), words.begin(), words.end());
}

// Inside nobody is anybody on the machine, and nothing can be gained by a file's owner or mode.
constexpr const char* user = "65534";

void add_system(arguments& to) {
  add(to, {"--ro-bind", "/usr", "/usr"});
  for (const std::string folder : {"bin", "sbin", "lib", "lib32", "lib64"}) {
    std::error_code ec;
    const std::filesystem::path path = "/" + folder;
    if (std::filesystem::is_symlink(path, ec))
      add(to, {"--symlink", "usr/" + folder, path.string()});
    else if (std::filesystem::is_directory(path, ec))
      add(to, {"--ro-bind", path.string(), path.string()});
  }
  // Programs of Debian stand behind links in alternatives; the others are about names and time.
  for (const std::string file : {"ld.so.cache", "alternatives", "localtime", "mime.types"})
    add(to, {"--ro-bind-try", "/etc/" + file, "/etc/" + file});
}

}  // namespace

std::vector<std::string> sandbox_environment(const sandbox_command& command) {
  std::vector<std::string> out{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp",
                               "LANG=C.UTF-8"};
  for (const auto& [name, value] : command.environment) out.push_back(name + "=" + value);
  return out;
}

std::vector<std::string> bubblewrap_arguments(const sandbox_command& command,
                                              const sandbox_view& view) {
  const auto& limits = command.limits;
  const auto disk = std::to_string(limits.disk_bytes);
  arguments out{"bwrap"};
  add(out, {"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
            "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"});
  add(out, {"--uid", user, "--gid", user, "--hostname", "sandbox"});
  add_system(out);
  add(out, {"--proc", "/proc", "--dev", "/dev"});
  add(out, {"--size", disk, "--tmpfs", "/dev/shm", "--size", disk, "--tmpfs", "/tmp"});
  if (command.work.empty())
    add(out, {"--size", disk, "--tmpfs", "/work"});
  else
    add(out, {"--bind", command.work, "/work"});
  for (const auto& bind : command.binds)
    add(out, {bind.writable ? "--bind" : "--ro-bind", bind.from, bind.to});
  for (const auto& file : view.files) add(out, {"--file", std::to_string(file.fd), file.path});
  // The first two are in memory that nothing else bounds. In the third are the kernel's settings,
  // which root may write by being root alone, without a capability: as we are where the server is.
  add(out, {"--remount-ro", "/dev", "--remount-ro", "/", "--remount-ro", "/proc"});
  add(out, {"--chdir", command.folder.empty() ? "/work" : command.folder});
  add(out, {"--seccomp", std::to_string(view.seccomp_fd), "--"});
  // Inside, because a limit set outside counts what else the same user runs on the machine.
  if (view.limit_processes)
    add(out, {"/usr/bin/prlimit", "--nproc=" + std::to_string(limits.processes), "--"});
  out.insert(out.end(), command.argv.begin(), command.argv.end());
  return out;
}

}  // namespace soma::tools
