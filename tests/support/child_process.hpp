// A program of ours that a test starts, listens to and kills. POSIX; throws where the system does
// not do as asked.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace soma::testing {

// A program of the same build, by its name.
inline std::string sibling_program(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

class child_process {
 public:
  child_process(const std::string& program, std::vector<std::string> arguments) {
    int out[2], err[2];
    if (pipe(out) != 0 || pipe(err) != 0) throw std::runtime_error("no pipe");
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("no process");
    if (pid_ == 0) {
      dup2(out[1], 1);
      dup2(err[1], 2);
      for (const int fd : {out[0], out[1], err[0], err[1]}) close(fd);
      std::vector<char*> argv{const_cast<char*>(program.c_str())};
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  ~child_process() {
    if (!status_) end(SIGKILL);
    close(out_);
    close(err_);
  }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  using clock = std::chrono::steady_clock;

  // The next line of its standard output; empty when none came until then, or it has ended.
  std::optional<std::string> line_until(clock::time_point deadline) {
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        auto line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
      pollfd ready{out_, POLLIN, 0};
      if (poll(&ready, 1, static_cast<int>(std::max<long>(0, left))) <= 0) return std::nullopt;
      if (!read_some(out_, text_)) return std::nullopt;
    }
  }
  void kill(int signal) { ::kill(pid_, signal); }
  // Sends a signal, 0 for none, waits for its end, and gives the status of waitpid.
  int end(int signal) {
    if (signal) kill(signal);
    int status = 0;
    if (!status_ && waitpid(pid_, &status, 0) == pid_) status_ = status;
    return *status_;
  }
  std::string output() {
    while (read_some(out_, text_)) {
    }
    return std::move(text_);
  }
  std::string errors() {
    std::string text;
    while (read_some(err_, text)) {
    }
    return text;
  }

 private:
  static bool read_some(int fd, std::string& text) {
    char bytes[4096];
    const auto n = read(fd, bytes, sizeof bytes);
    if (n > 0) text.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  std::string text_;
  std::optional<int> status_;
};

}  // namespace soma::testing
