#include "tools/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/child_process.hpp"
#include "support/temp_folder.hpp"
#include "tools/sandbox_world.hpp"

namespace fs = std::filesystem;
using namespace soma::testing;
using soma::tools::sandbox;
using soma::tools::sandbox_command;
using soma::tools::sandbox_end;
using soma::tools::sandbox_options;
using reason = sandbox_end::reason;

namespace {

enum class place { anywhere, first };

// How many processes of this machine have `mark` among their arguments, or as their name.
int processes_with(const std::string& mark, place where = place::anywhere) {
  int found = 0;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator("/proc", ec)) {
    std::ifstream in(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(in)), {});
    const auto at = line.find(mark);
    if (where == place::first ? at == 0 : at != std::string::npos) ++found;
  }
  return found;
}

std::string unlikely(const std::string& name) {
  return name + "-" + std::to_string(getpid()) + "-" + std::to_string(rand());
}

}  // namespace

TEST_CASE("sandbox: works on this machine, or these tests say nothing") {
  REQUIRE(shared_sandbox().unavailable() == "");
  MESSAGE(shared_sandbox().confinement());
}

TEST_CASE("sandbox: gives the output of both streams and the exit code") {
  const auto seen = run(shell("echo out; echo err >&2; exit 7"));
  CHECK(seen.end.why == reason::exited);
  CHECK(seen.end.exit_code == 7);
  CHECK(seen.output == "out\n");
  CHECK(seen.errors == "err\n");
}

TEST_CASE("sandbox: a program that dies of a signal exits with 128 and its number") {
  CHECK(run(shell("kill -SEGV $$")).end.exit_code == 128 + SIGSEGV);
}

TEST_CASE("sandbox: input comes as text or as a file, and none ends at once") {
  auto command = shell("cat");
  command.input = std::string(300'000, 'x');
  command.limits.output_bytes = 1 << 20;
  CHECK(run(command).output == command.input);
  CHECK(run(shell("cat")).output.empty());
  temp_folder folder;
  std::ofstream(folder / "in") << "of a file";
  command.input_fd = open((folder / "in").c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(run(command).output == "of a file");
}

TEST_CASE("sandbox: files are there at the start, and cannot be written where nothing may be") {
  auto command = shell("cat /code/a.txt; echo more >> /code/a.txt || echo refused");
  command.files.push_back({"/code/a.txt", "text\n"});
  CHECK(run(command).output == "text\nrefused\n");
}

TEST_CASE("sandbox: the environment is emptied but for what is given") {
  setenv("SOMA_TEST_SECRET", "of the server", 1);
  auto command = shell("/usr/bin/env | sort");
  command.environment = {{"GIVEN", "yes"}};
  CHECK(run(command).output ==
        "GIVEN=yes\nHOME=/tmp\nLANG=C.UTF-8\nPATH=/usr/local/bin:/usr/bin:/bin\nPWD=/work\n"
        "SHLVL=1\nTMPDIR=/tmp\n_=/usr/bin/env\n");
}

TEST_CASE("sandbox: what is written to the work folder stays, and nothing else") {
  temp_folder folder;
  auto command = shell("echo kept > /work/a; echo lost > /tmp/b; ls /tmp");
  command.work = folder.path();
  CHECK(run(command).output == "b\n");
  CHECK(fs::exists(folder / "a"));
  CHECK(run(shell("ls /tmp /work | grep .")).output == "/tmp:\n/work:\n");
}

TEST_CASE("sandbox: nothing open in the server is open inside") {
  // As a library would leave it: without close-on-exec.
  const int leaked = open("/proc/self/status", O_RDONLY);
  REQUIRE(leaked >= 0);
  CHECK(run(python("import os\nfor n in range(3, 1024):\n  try: os.fstat(n); print(n)\n"
                   "  except OSError: pass"))
            .output == "");
  close(leaked);
}

TEST_CASE("sandbox: output past the limit is dropped and said to be") {
  auto command = shell("head -c 100000 /dev/zero; echo -n tail >&2");
  command.limits.output_bytes = 1000;
  const auto seen = run(command);
  CHECK(seen.end.why == reason::exited);
  CHECK(seen.end.truncated);
  CHECK(seen.output.size() == 1000);
  CHECK(seen.errors == "tail");
  CHECK_FALSE(run(shell("echo short")).end.truncated);
}

TEST_CASE("sandbox: a run is killed with all its children when its time is over") {
  const auto mark = unlikely("children");
  auto command = shell("(exec -a " + mark + " sleep 1000) & (setsid bash -c 'exec -a " + mark +
                       " sleep 1000' &) ; echo started; wait");
  command.limits.timeout_ms = 1500;
  watched_run one(shared_sandbox(), command);
  const auto end = one.wait();
  CHECK(one.output() == "started\n");
  CHECK(end.why == reason::timeout);
  CHECK(end.detail == "it ran longer than 1500 milliseconds");
  CHECK(processes_with(mark) == 0);
}

TEST_CASE("sandbox: a program may end itself properly when it is asked to") {
  auto command = shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
  command.limits.timeout_ms = 1500;
  command.limits.grace_ms = 30'000;
  const auto seen = run(command);
  CHECK(seen.output == "ready\nbye\n");
  CHECK(seen.end.why == reason::timeout);
}

TEST_CASE("sandbox: a program that ignores SIGTERM is killed") {
  auto command = shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  command.limits.timeout_ms = 1500;
  command.limits.grace_ms = 200;
  const auto seen = run(command);
  CHECK(seen.output == "ready\n");
  CHECK(seen.end.why == reason::timeout);
  CHECK(seen.end.exit_code == 128 + SIGKILL);
}

TEST_CASE("sandbox: destroying the handle kills the run, and nothing is called afterwards") {
  const auto mark = unlikely("cancelled");
  auto command = shell("echo ready; exec -a " + mark + " sleep 1000");
  command.limits.grace_ms = 100;
  watched_run one(shared_sandbox(), command);
  one.output_with("ready");
  CHECK(becomes_true([&] { return processes_with(mark) >= 1; }));
  one.cancel();
  CHECK(becomes_true([&] { return processes_with(mark) == 0; }));
  CHECK_FALSE(one.ended());
}

TEST_CASE("sandbox: a handle may be destroyed by its own callback") {
  std::unique_ptr<soma::tools::sandbox_run> handle;
  std::mutex mutex;
  std::condition_variable changed;
  bool destroyed = false;
  std::unique_lock hold(mutex);
  handle = shared_sandbox().start(shell("echo one; sleep 1000"), {[&](bool, std::string_view) {
                                                                    const std::lock_guard in(mutex);
                                                                    handle.reset();
                                                                    destroyed = true;
                                                                    changed.notify_all();
                                                                  },
                                                                  {}});
  CHECK(changed.wait_for(hold, patience, [&] { return destroyed; }));
}

TEST_CASE("sandbox: more runs than it has room for are refused as busy, and room is given back") {
  sandbox_options options;
  options.runs_max = 2;
  sandbox small(options);
  watched_run first(small, shell("echo ready; sleep 1000"));
  watched_run second(small, shell("echo ready; sleep 1000"));
  first.output_with("ready");
  second.output_with("ready");
  const auto third = run(shell("echo never"), small);
  CHECK(third.end.why == reason::refused);
  CHECK(third.end.busy);
  first.cancel();
  CHECK(becomes_true([&] { return run(shell("true"), small).end.why == reason::exited; }));
}

TEST_CASE("sandbox: one owner has three quarters of the room at most") {
  sandbox_options options;
  options.runs_max = 4;
  sandbox small(options);
  const auto of = [](const std::string& owner, const std::string& script) {
    auto command = shell(script);
    command.owner = owner;
    return command;
  };
  std::vector<std::unique_ptr<watched_run>> waiting;
  for (int n = 0; n < 3; ++n)
    waiting.push_back(std::make_unique<watched_run>(small, of("one", "echo ready; sleep 1000")));
  for (auto& each : waiting) each->output_with("ready");
  CHECK(run(of("one", "true"), small).end.busy);
  CHECK(run(of("another", "true"), small).end.why == reason::exited);
  waiting[0]->cancel();
  CHECK(becomes_true([&] { return run(of("one", "true"), small).end.why == reason::exited; }));
}

TEST_CASE("sandbox: destroying it kills what still runs") {
  const auto mark = unlikely("left");
  auto small = std::make_unique<sandbox>();
  watched_run one(*small, shell("echo ready; exec -a " + mark + " sleep 1000"));
  one.output_with("ready");
  small.reset();
  CHECK(processes_with(mark) == 0);
}

TEST_CASE("sandbox: a killed server takes its runs along, with their children") {
  const auto mark = unlikely("orphan");
  child_process server(sibling_program("sandbox_server"), {mark});
  const auto until = child_process::clock::now() + patience;
  REQUIRE(server.line_until(until) == "ready");
  REQUIRE(becomes_true([&] { return processes_with(mark, place::first) == 2; }));
  server.end(SIGKILL);
  CHECK(becomes_true([&] { return processes_with(mark) == 0; }));
}

TEST_CASE("sandbox: says why nothing can run where bubblewrap is not there or fails") {
  sandbox_options options;
  options.bubblewrap = "/nonexistent/bwrap";
  CHECK(sandbox(options).unavailable() == "bubblewrap is not installed (/nonexistent/bwrap)");
  temp_folder folder;
  const auto fake = folder / "bwrap";
  std::ofstream(fake) << "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\n"
                         "exit 1\n";
  fs::permissions(fake, fs::perms::owner_all);
  options.bubblewrap = fake;
  sandbox refused(options);
  CHECK(refused.unavailable() ==
        "bubblewrap cannot make a sandbox on this machine: bwrap: No permissions to create new "
        "namespace");
  const auto seen = run(shell("echo never"), refused);
  CHECK(seen.end.why == reason::refused);
  CHECK(seen.output.empty());
}

TEST_CASE("sandbox: leaves no control groups behind") {
  if (!fs::exists("/sys/fs/cgroup")) return;
  const auto ours = [] {
    int found = 0;
    std::error_code ec;
    const auto mark = "soma-" + std::to_string(getpid()) + "-";
    for (auto at = fs::recursive_directory_iterator(
             "/sys/fs/cgroup", fs::directory_options::skip_permission_denied, ec);
         !ec && at != fs::recursive_directory_iterator(); at.increment(ec))
      if (at->is_directory(ec) && at->path().filename().string().starts_with(mark)) ++found;
    return found;
  };
  run(shell("sleep 1000 & true"));
  CHECK(becomes_true([&] { return ours() == 0; }));
}
