// What a program in the sandbox tries in vain. Each test does the same outside first where it can,
// so that it would be seen to succeed.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/temp_folder.hpp"
#include "tools/sandbox_world.hpp"

namespace fs = std::filesystem;
using namespace soma::testing;
using soma::tools::sandbox_command;
using soma::tools::sandbox_end;
using reason = sandbox_end::reason;

namespace {

// Runs each line as Python; prints "no" and the error's name where it is refused, "YES" where not.
std::string attempts(const std::string& lines, const std::string& work = {}) {
  auto command = python(
      "import sys, os, ctypes, socket, signal\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "def call(name, *arguments):\n"
      "  if getattr(libc, name)(*arguments) == -1:\n"
      "    number = ctypes.get_errno()\n"
      "    raise OSError(number, os.strerror(number))\n"
      "for line in sys.stdin.read().splitlines():\n"
      "  try: exec(line)\n"
      "  except (OSError, MemoryError, AttributeError): print('no')\n"
      "  except Exception as e: print('BROKEN', line, repr(e))\n"
      "  else: print('YES', line)\n");
  command.input = lines;
  command.work = work;
  const auto seen = run(command);
  INFO(seen.errors);
  CHECK(seen.end.why == reason::exited);
  CHECK(seen.end.exit_code == 0);
  return seen.output;
}

std::string refused(int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += "no\n";
  return out;
}

}  // namespace

TEST_CASE("escape: the attempts of these tests do succeed where they are allowed") {
  CHECK(attempts("open('/tmp/x', 'w')\ncall('getpid')") ==
        "YES open('/tmp/x', 'w')\nYES call('getpid')\n");
}

TEST_CASE("escape: files of the machine outside /usr are not there") {
  temp_folder folder;
  std::ofstream(folder / "secret") << "secret";
  CHECK(attempts("open('/etc/passwd')\nopen('/etc/shadow')\nopen('/root/.profile')\n"
                 "os.listdir('/home')\nos.listdir('/var')\nos.listdir('/sys')\nos.listdir('/run')\n"
                 "open('" +
                 (folder / "secret") +
                 "')\nopen('/work/../../../etc/shadow')\n"
                 "open('/proc/self/root/etc/shadow')\nopen('/proc/1/root/etc/shadow')\n"
                 "open('/proc/self/cwd/../etc/shadow')") == refused(12));
}

TEST_CASE("escape: the view of the machine is not writable") {
  CHECK(attempts("open('/usr/bin/x', 'w')\nopen('/x', 'w')\nopen('/etc/x', 'w')\n"
                 "open('/dev/x', 'w')\nos.mkdir('/y')\nos.unlink('/usr/bin/env')\n"
                 "os.chmod('/usr/bin/env', 0o777)\nopen('/proc/sys/kernel/core_pattern', 'w')\n"
                 "open('/proc/sysrq-trigger', 'w')\nopen('/proc/sys/kernel/hostname', 'w')") ==
        refused(10));
}

TEST_CASE("escape: other processes of the machine are not seen, and the server's neither") {
  const auto seen =
      run(shell("ls /proc | grep -c '^[0-9]*$'; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"));
  CHECK(seen.output.find("sandbox_tests") == std::string::npos);
  CHECK(std::stoi(seen.output) < 8);
  CHECK(attempts("os.kill(" + std::to_string(getpid()) + ", 0)\nopen('/proc/" +
                 std::to_string(getpid()) + "/environ')") == refused(2));
}

TEST_CASE("escape: the server's environment is in no process that can be read") {
  setenv("SOMA_TEST_SECRET", "of-the-server", 1);
  CHECK(run(shell("cat /proc/[0-9]*/environ")).output.find("of-the-server") == std::string::npos);
}

TEST_CASE("escape: there is no network, not even the machine's own") {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  REQUIRE(bind(server, reinterpret_cast<sockaddr*>(&here), size) == 0);
  REQUIRE(listen(server, 1) == 0);
  REQUIRE(getsockname(server, reinterpret_cast<sockaddr*>(&here), &size) == 0);
  const auto port = std::to_string(ntohs(here.sin_port));
  CHECK(attempts("socket.create_connection(('127.0.0.1', " + port +
                 "))\n"
                 "socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
                 "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
                 "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)\n"
                 "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                 "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)\n"
                 "socket.getaddrinfo('example.com', 80)") == refused(7));
  CHECK(run(shell("echo > /dev/tcp/127.0.0.1/" + port + " || echo refused")).output == "refused\n");
  close(server);
}

TEST_CASE("escape: abstract sockets of the machine cannot be reached") {
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const std::string name = "soma-test-" + std::to_string(getpid());
  sockaddr_un here{};
  here.sun_family = AF_UNIX;
  std::memcpy(here.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  REQUIRE(bind(server, reinterpret_cast<sockaddr*>(&here), size) == 0);
  REQUIRE(listen(server, 1) == 0);
  CHECK(attempts("socket.socket(socket.AF_UNIX).connect('\\0" + name + "')") == refused(1));
  close(server);
}

TEST_CASE("escape: no new namespaces, mounts or roots") {
  CHECK(
      attempts("call('unshare', 0x10000000)\ncall('unshare', 0x20000)\n"
               "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)\ncall('umount2', b'/work', 2)\n"
               "call('chroot', b'/tmp')\ncall('pivot_root', b'/tmp', b'/tmp')\n"
               "call('setns', 0, 0)\ncall('syscall', 56, 0x10000011, 0, 0, 0, 0)\n"
               "call('syscall', 435, 0, 0)\ncall('syscall', 428, -100, b'/', 0)\n"
               "call('syscall', 429, 0, b'', -100, b'/tmp', 0)") == refused(11));
}

TEST_CASE("escape: nobody else can be become") {
  CHECK(run(shell("id -u; cat /proc/self/status | grep -E 'NoNewPrivs|CapEff|CapBnd|Seccomp:'"))
            .output ==
        "65534\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
        "NoNewPrivs:\t1\nSeccomp:\t2\n");
  CHECK(attempts("call('setuid', 0)\ncall('setgid', 0)\ncall('setresuid', 0, 0, 0)\n"
                 "call('setgroups', 0, None)\ncall('capset', None, None)") == refused(5));
  temp_folder folder;
  const auto program = folder / "id";
  fs::copy_file("/usr/bin/id", program);
  REQUIRE(chmod(program.c_str(), 04755) == 0);
  auto command = shell("/work/id -u");
  command.work = folder.path();
  CHECK(run(command).output == "65534\n");
}

TEST_CASE("escape: no process is traced or read by another, and the kernel's back doors are shut") {
  CHECK(attempts("call('ptrace', 16, 1, 0, 0)\ncall('ptrace', 0, 0, 0, 0)\n"
                 "call('process_vm_readv', 1, None, 0, None, 0, 0)\ncall('syscall', 321, 0, 0, 0)\n"
                 "call('syscall', 298, 0, 0, 0, 0, 0)\ncall('syscall', 323, 0)\n"
                 "call('syscall', 425, 1, 0)\ncall('syscall', 250, 0, 0, 0, 0, 0)\n"
                 "call('syscall', 319, b'x', 0)\ncall('syscall', 175, 0, 0, b'')\n"
                 "call('syscall', 169, 0, 0, 0, 0)\ncall('syscall', 99999)\n"
                 "open('/proc/1/mem', 'rb').read(1)\nopen('/proc/kcore', 'rb').read(1)\n"
                 "open('/proc/kmsg', 'rb').read(1)") == refused(15));
}

TEST_CASE("escape: calls of another architecture kill the program") {
  // int 0x80 on x86-64: exit(0) as a 32-bit program would call it.
#if defined(__x86_64__)
  const auto seen = run(python(
      "import ctypes, mmap\n"
      "code = bytes([0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80, 0xc3])\n"
      "page = mmap.mmap(-1, 4096, prot=7)\npage.write(code)\n"
      "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\n"));
  CHECK(seen.end.exit_code == 128 + SIGSYS);
#endif
}

TEST_CASE("escape: signals reach nobody outside, whatever is signalled") {
  const auto seen = run(shell("kill -KILL -1; kill -KILL 1; kill -KILL 0; echo survived"));
  CHECK(seen.end.why == reason::exited);  // it may end itself; we are still here
  CHECK(seen.end.exit_code != 0);
}

TEST_CASE("escape: a fork bomb stays within its number of processes and ends") {
  auto command = shell("f() { f | f & }; f; sleep 1000");
  command.limits.processes = 32;
  command.limits.timeout_ms = 1500;
  command.limits.grace_ms = 100;
  const auto seen = run(command);
  CHECK(seen.errors.find("fork") != std::string::npos);
  auto count = python(
      "import os, time\nn = 0\ntry:\n  while n < 500:\n    if os.fork() == 0: time.sleep(1000)\n"
      "    n += 1\nexcept OSError: pass\nprint(n)\n");
  count.limits.processes = 32;
  CHECK(std::stoi(run(count).output) <= 32);
}

TEST_CASE("escape: a memory bomb ends within its limit, in one process and in many") {
  auto command = python("b = []\nwhile True: b.append(bytearray(1 << 20))");
  command.limits.memory_bytes = 128 << 20;
  const auto seen = run(command);
  CHECK(seen.end.exit_code != 0);
  CHECK((seen.end.why == reason::memory || seen.errors.find("MemoryError") != std::string::npos));
  if (shared_sandbox().confinement().find("a run") == std::string::npos) return;
  // Each stays below it, and all together are over. One that is killed ends the run.
  command = python(
      "import os, mmap, sys, time\n"
      "for i in range(8):\n"
      "  if os.fork() == 0:\n"
      "    m = mmap.mmap(-1, 64 << 20)\n"
      "    for at in range(0, len(m), 4096): m[at] = 1\n"
      "    time.sleep(1000)\n"
      "sys.exit(1 if os.wait()[1] else 0)\n");
  command.limits.memory_bytes = 128 << 20;
  const auto many = run(command);
  CHECK(many.end.why == reason::memory);
}

TEST_CASE("escape: what a program can fill is bounded, in memory and on the disk") {
  temp_folder folder;
  auto command = shell(
      "for f in /tmp/x /dev/shm/x; do head -c 50M /dev/zero > $f; stat -c %s $f; "
      "done; head -c 50M /dev/zero > /dev/y || echo refused");
  command.limits.disk_bytes = 8 << 20;
  const auto seen = run(command);
  CHECK(seen.output == "8388608\n8388608\nrefused\n");
  command = shell("i=0; while :; do head -c 1M /dev/zero > /work/$i; i=$((i + 1)); done");
  command.work = folder.path();
  command.limits.disk_bytes = 8 << 20;
  CHECK(run(command).end.why == reason::disk);
  command = shell("head -c 50M /dev/zero > /work/large; stat -c %s /work/large");
  command.work = folder.path();
  command.limits.disk_bytes = 8 << 20;
  CHECK(run(command).output == "8388608\n");
}

TEST_CASE("escape: a folder full of empty files is noticed") {
  temp_folder folder;
  soma::tools::sandbox_options options;
  options.entries_max = 500;
  soma::tools::sandbox small(options);
  auto command = shell("i=0; while :; do : > /work/$((i++)); done");
  command.work = folder.path();
  CHECK(run(command, small).end.why == reason::disk);
}

TEST_CASE("escape: what is written below many folders is noticed") {
  temp_folder folder;
  auto command = shell(
      "cd /work; i=0; while [ $i -lt 70 ]; do mkdir d; cd d; i=$((i + 1)); done; "
      "while :; do head -c 100k /dev/zero > x; done");
  command.work = folder.path();
  CHECK(run(command).end.why == reason::disk);
}

TEST_CASE("escape: output without an end is cut and the program killed") {
  auto command = shell("yes");
  command.limits.output_bytes = 4096;
  command.limits.dropped_bytes = 8 << 20;
  const auto seen = run(command);
  CHECK(seen.end.why == reason::output);
  CHECK(seen.end.truncated);
  CHECK(seen.output.size() == 4096);
}

TEST_CASE("escape: processor time is bounded, in one process and in many") {
  auto command = shell("while :; do :; done");
  command.limits.cpu_s = 1;
  command.limits.timeout_ms = 300'000;  // a busy machine gives little of it
  const auto one = run(command);
  CHECK((one.end.why == reason::cpu || one.end.exit_code >= 128));
  if (shared_sandbox().confinement().find("group") == std::string::npos) return;
  // Each child ends before a limit of its own would end it.
  command = python(
      "import os, time\nwhile True:\n  if os.fork() == 0:\n"
      "    while time.process_time() < 0.3: pass\n    os._exit(0)\n  os.wait()\n");
  command.limits.cpu_s = 1;
  command.limits.timeout_ms = 300'000;  // a busy machine gives little of it
  CHECK(run(command).end.why == reason::cpu);
}

TEST_CASE("escape: a link in the work folder leads nowhere outside") {
  temp_folder folder, outside;
  std::ofstream(outside / "secret") << "secret";
  auto command = shell("ln -s " + outside.path().string() +
                       " /work/out; cat /work/out/secret; "
                       "ln -s /etc/shadow /work/shadow; cat /work/shadow; "
                       "ln /proc/1/exe /work/hard; cat /work/../secret; echo done");
  command.work = folder.path();
  const auto seen = run(command);
  CHECK(seen.output == "done\n");
  // Nor does a link that was there before.
  fs::create_symlink(outside / "secret", folder.path() / "before");
  command = shell("cat /work/before || echo refused");
  command.work = folder.path();
  CHECK(run(command).output == "refused\n");
}

TEST_CASE("escape: only harmless devices are there, and none can be made") {
  CHECK(run(shell("ls /dev | tr '\\n' ' '")).output ==
        "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ");
  CHECK(attempts("os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))\n"
                 "os.mknod('/work/mem', 0o20600, os.makedev(1, 1))\nopen('/dev/mem', 'rb')\n"
                 "open('/dev/kvm', 'rb')\nopen('/dev/fuse', 'rb')\nopen('/dev/tty', 'rb')") ==
        refused(6));
}

TEST_CASE("escape: no text is put into the terminal of the server") {
  CHECK(attempts("import fcntl; fcntl.ioctl(0, 0x5412, b'x')\n"
                 "import fcntl; fcntl.ioctl(0, 0x541c, b'x')") == refused(2));
}
