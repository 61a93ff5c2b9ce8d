#include "tools/sandbox/seccomp_filter.hpp"

#include <asm/ioctls.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

// What interpreters and extractors need to read and write files, run threads and children, wait
// and tell the time. Names unknown to an architecture are skipped.
constexpr const char* allowed[] = {
    // clang-format off
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "open", "openat", "openat2", "close", "close_range", "creat", "stat", "fstat",
    "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
    "lseek", "_llseek", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "rename",
    "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "link", "linkat",
    "symlink", "symlinkat", "readlink", "readlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2",
    "chown", "fchown", "lchown", "fchownat", "umask", "truncate", "ftruncate", "fallocate",
    "utime", "utimes", "utimensat", "futimesat", "fsync", "fdatasync", "sync_file_range", "flock",
    "fadvise64", "readahead", "sendfile", "copy_file_range", "splice", "tee", "getxattr",
    "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    "dup", "dup2", "dup3", "fcntl", "pipe", "pipe2", "select", "pselect6", "poll", "ppoll",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "eventfd", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd",
    "signalfd4", "inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    "mmap", "munmap", "mprotect", "mremap", "madvise", "msync", "mincore", "brk", "mlock",
    "munlock", "membarrier", "get_mempolicy", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid",
    "pidfd_open", "pidfd_send_signal", "kill", "tkill", "tgkill", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    "rt_sigqueueinfo", "sigaltstack", "pause", "alarm", "getitimer", "setitimer",
    "restart_syscall", "futex", "futex_waitv", "set_robust_list", "get_robust_list",
    "set_tid_address", "rseq", "arch_prctl", "prctl", "sched_yield", "sched_getaffinity",
    "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min", "getpriority", "setpriority", "getcpu", "capget",
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
    "getresgid", "getgroups", "getpgid", "getpgrp", "setpgid", "getsid", "setsid", "uname",
    "sysinfo", "getrlimit", "setrlimit", "prlimit64", "getrusage", "times", "time",
    "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "timer_create", "timer_settime", "timer_gettime", "timer_delete", "timer_getoverrun",
    "getrandom", "bind", "listen", "accept", "accept4", "connect", "shutdown", "sendto",
    "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "getsockname", "getpeername",
    "getsockopt", "setsockopt",
    // clang-format on
};

// What a program may expect to exist: told that it may not, rather than that there is no such call.
constexpr const char* forbidden[] = {
    // clang-format off
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "mount", "umount2", "pivot_root",
    "chroot", "unshare", "setns", "setuid", "setgid", "setreuid", "setregid", "setresuid",
    "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "mknod", "mknodat", "bpf",
    "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "init_module",
    "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon",
    "swapoff", "sethostname", "setdomainname", "settimeofday", "clock_settime", "clock_adjtime",
    "adjtimex", "acct", "quotactl", "syslog", "iopl", "ioperm", "open_by_handle_at",
    "name_to_handle_at", "fanotify_init", "setxattr", "lsetxattr", "fsetxattr", "pidfd_getfd",
    "vhangup", "memfd_create", "memfd_secret",
    // clang-format on
};

using filter = std::unique_ptr<void, decltype(&seccomp_release)>;

bool add(const filter& f, std::uint32_t action, const char* name,
         std::initializer_list<scmp_arg_cmp> arguments = {}) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number < 0) return true;  // not of this machine, or newer than libseccomp
  return seccomp_rule_add_array(f.get(), action, number, static_cast<unsigned>(arguments.size()),
                                arguments.begin()) == 0;
}

// Of programs on one machine; with `ip` TCP and UDP of its networks as well.
bool add_sockets(const filter& f, const char* name, bool ip) {
  bool ok = add(f, SCMP_ACT_ALLOW, name, {SCMP_A0(SCMP_CMP_EQ, AF_UNIX)});
  constexpr std::uint64_t type_bits = 0xf;  // the others are flags
  for (const std::uint64_t family : {AF_INET, AF_INET6})
    for (const std::uint64_t type : {SOCK_STREAM, SOCK_DGRAM})
      for (const std::uint64_t protocol : {IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP})
        ok = ok && (!ip ||
                    add(f, SCMP_ACT_ALLOW, name,
                        {SCMP_A0(SCMP_CMP_EQ, family), SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, type),
                         SCMP_A2(SCMP_CMP_EQ, protocol)}));
  // One by one, since a rule compares an argument once. What fits none "does not exist".
  for (std::uint64_t family = 0; family < AF_MAX; ++family)
    if (family != AF_UNIX && !(ip && (family == AF_INET || family == AF_INET6)))
      ok = ok && add(f, SCMP_ACT_ERRNO(EPERM), name, {SCMP_A0(SCMP_CMP_EQ, family)});
  return ok && add(f, SCMP_ACT_ERRNO(EPERM), name, {SCMP_A0(SCMP_CMP_GE, AF_MAX)});
}

bool add_rules(const filter& f, bool ip_sockets) {
  bool ok = true;
  for (const char* name : allowed) ok = add(f, SCMP_ACT_ALLOW, name) && ok;
  for (const char* name : forbidden) ok = add(f, SCMP_ACT_ERRNO(EPERM), name) && ok;
  // Forks and threads, but no new namespaces. clone3 hides its flags from us: it "does not exist",
  // and the C library falls back to clone.
  constexpr std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                       CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  ok = add(f, SCMP_ACT_ALLOW, "clone", {SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0)}) && ok;
  for (const char* name : {"socket", "socketpair"}) ok = add_sockets(f, name, ip_sockets) && ok;
  for (const std::uint64_t query : {std::uint64_t{0}, std::uint64_t{0xffffffff}})
    ok = add(f, SCMP_ACT_ALLOW, "personality", {SCMP_A0(SCMP_CMP_EQ, query)}) && ok;
  for (const std::uint64_t request :
       {TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX})
    ok = add(f, SCMP_ACT_ALLOW, "ioctl", {SCMP_A1(SCMP_CMP_EQ, request)}) && ok;
  return ok;
}

std::string exported(const filter& f) {
  const int fd = memfd_create("filter", MFD_CLOEXEC);
  if (fd < 0) return {};
  std::string bytes;
  if (seccomp_export_bpf(f.get(), fd) == 0) {
    bytes.resize(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)));
    if (pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      bytes.clear();
  }
  close(fd);
  return bytes;
}

}  // namespace

result<std::string> make_seccomp_filter(bool ip_sockets) {
  // "No such call" by default, so that programs fall back to older ones as on an older kernel.
  const filter f(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &seccomp_release);
  bool ok = f && seccomp_attr_set(f.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
  // A tree rather than a list: each system call passes the filter.
  ok =
      ok && seccomp_attr_set(f.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && add_rules(f, ip_sockets);
  if (auto bytes = ok ? exported(f) : std::string(); !bytes.empty()) return bytes;
  return error{codes::internal, "the list of allowed system calls cannot be made on this machine"};
}

}  // namespace soma::tools
