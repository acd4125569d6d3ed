#include "node.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/core.h>

#include "base/child.h"
#include "base/confine.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/paths.h"
#include "docroot.h"

namespace aspshell {
namespace {

using command_line::Words;
using confine::may_list;
using confine::may_read;
using confine::may_run;
using confine::may_write;
using file_access::Access;
using file_access::Area;

// Where programs are looked for, by the name that a client gives them: ours first.
const std::string kFolders[] = {paths::kBin, "/opt/aspera/bin/", "/usr/local/bin/", "/usr/bin/", "/bin/"};

// What a program needs to begin, and to know names of accounts and hosts, times and certificates.
constexpr const char* kReadable[] = {"/usr/lib",
                                     "/usr/lib64",
                                     "/usr/lib32",
                                     "/usr/libx32",
                                     "/lib",
                                     "/lib64",
                                     "/usr/local/lib",
                                     "/opt/aspera/lib",
                                     "/etc/ld.so.cache",
                                     "/etc/passwd",
                                     "/etc/group",
                                     "/etc/nsswitch.conf",
                                     "/etc/hosts",
                                     "/etc/host.conf",
                                     "/etc/resolv.conf",
                                     "/etc/gai.conf",
                                     "/etc/services",
                                     "/etc/localtime",
                                     "/usr/share/zoneinfo",
                                     "/etc/ssl",
                                     "/etc/crypto-policies",
                                     "/etc/gnutls",
                                     "/dev/urandom",
                                     "/dev/random",
                                     "/opt/aspera/etc",
                                     "/proc/sys/crypto/fips_enabled"};
#if defined(__SANITIZE_ADDRESS__)
constexpr const char* kOfSanitizer = "/proc/self";  // its runtime looks into its own process
#else
constexpr const char* kOfSanitizer = nullptr;
#endif
// The dynamic loader is run with each program.
constexpr const char* kLoaders[] = {"/lib/ld-*.so*", "/lib64/ld-*.so*", "/lib/ld64.so*", "/lib64/ld64.so*"};

// The places and the descriptors that they hold.
class Places {
 public:
  void add(Fd place, unsigned rights) {
    if (!place) return;
    places_.push_back({place.get(), rights});
    held_.push_back(std::move(place));
  }
  // Nothing, where nothing is.
  void add(const char* path, unsigned rights) { add(Fd(::open(path, O_PATH | O_CLOEXEC)), rights); }
  void add_all(const char* pattern, unsigned rights) {
    glob_t found{};
    if (::glob(pattern, 0, nullptr, &found) == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) add(found.gl_pathv[i], rights);
    }
    ::globfree(&found);
  }
  const std::vector<confine::Place>& all() const { return places_; }

 private:
  std::vector<Fd> held_;
  std::vector<confine::Place> places_;
};

unsigned rights_of(const Area& area) {
  return (area.read ? may_read : 0U) | (area.write ? may_write : 0U) | (area.list ? may_list : 0U);
}

std::string program_of(const std::string& name) {
  if (name.starts_with('/')) return name;
  for (const auto& folder : kFolders) {
    if (name.find('/') == name.npos && ::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  throw tool::Failure(tool::os, fmt::format("{} is not installed on this host", name),
                      "This server does not have the program that you ask for. Tell the administrator.");
}

// ascp speaks over TCP with whoever has a management port (-M).
bool needs_tcp(const Words& words) { return std::find(words.begin(), words.end(), "-M") != words.end(); }

// Of our own programs it is known what they need. Sessions of asp-cp hand each other what comes to the UDP port that
// they share. None asks anybody but syslog, so that names of accounts that are not in /etc/passwd stay unknown.
confine::Reach reach_of(const std::string& program, const Words& words) {
  const bool transfers = program == std::string(paths::kBin) + "asp-cp";
  const bool is_ours = transfers || program == std::string(paths::kBin) + "ascmd";
  const bool watches = program.ends_with("/async");  // what changes here, to send it
  return {.tcp = needs_tcp(words), .abstract_sockets = transfers, .unix_streams = !is_ours, .events = watches};
}

bool any(const Access& access, bool Area::*right) {
  return std::any_of(access.areas.begin(), access.areas.end(), [&](const Area& area) { return area.*right; });
}

// As asp-cp has it: `right` is that of a direction.
std::string permission(const Access& access, bool Area::*right, file_access::Transfer transfer) {
  if (!any(access, right) || transfer == file_access::Transfer::deny) return "deny";
  return transfer == file_access::Transfer::token ? "token" : "allow";
}

// What our own programs are told, who see the docroot, where they begin, as /.
void add_options(std::vector<std::string>& argv, const Access& access) {
  if (argv[0] == std::string(paths::kBin) + "ascmd") {
    const std::string rights = std::string(any(access, &Area::read) ? "r" : "") +
                               (any(access, &Area::write) ? "w" : "") + (any(access, &Area::list) ? "l" : "");
    argv.insert(argv.end(), {"-a", rights, "-d", "."});
  } else if (argv[0] == std::string(paths::kBin) + "asp-cp") {
    argv.insert(argv.end(), {"-d", ".", "-u", permission(access, &Area::write, access.uploads), "-w",
                             permission(access, &Area::read, access.downloads)});
  }
}

// The client's own. A path for LANG would have the C library read tables that the client may have uploaded.
std::vector<std::string> environment() {
  auto all = env::allow({"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "TERM", "LANG", "ASP_CP_UDP_PORT"});
  std::erase_if(all, [](const std::string& each) { return each.starts_with("LANG=") && each.find('/') != each.npos; });
  return all;
}

void confine_to(const std::string& program, Places places, const Access& access, const confine::Reach& reach) {
  if (!confine::has_landlock()) {
    if (access.landlock_required)
      throw tool::Failure(tool::config,
                          "this kernel has no Landlock, so nothing can confine the command; with <confinement> "
                          "if_possible in aspera.conf it runs unconfined",
                          "This server cannot confine the transfer. Tell the administrator.");
    if (access.areas.size() > 1)
      throw tool::Failure(tool::config, "this kernel has no Landlock, which several <path> need");
    confine::refuse_dangerous();
    logging::error("This kernel has no Landlock: only {} itself keeps to the docroot", logging::escape(program));
    return;
  }
  for (const char* const path : kReadable) places.add(path, may_read | may_list);
  for (const char* const pattern : kLoaders) places.add_all(pattern, may_run);
  places.add("/dev/null", may_read | may_write);
  places.add("/dev/zero", may_read);
  places.add("/dev/full", may_read | may_write);
  if (kOfSanitizer) places.add(kOfSanitizer, may_read | may_list);
  places.add(program.c_str(), may_run);
  confine::refuse_dangerous();
  confine::stay_in(places.all(), reach);
}

}  // namespace

void serve_here(const Words& words, const Access& access, const std::string& user) {
  if (access.areas.empty())
    throw tool::Failure(tool::config, fmt::format("{} is to be served here, and has no docroot", user),
                        "This account has no docroot. Tell the administrator.");
  const std::string program = program_of(words[0]);
  Places places;
  for (const auto& area : access.areas) {
    Fd opened = open_docroot(area.path);
    if (&area == &access.areas.front() && ::fchdir(opened.get()) != 0)
      tool::fail_errno(tool::not_permitted, "docroot " + area.path);
    places.add(std::move(opened), rights_of(area));
  }
  std::string line;
  for (const auto& word : words) line += " " + word;
  logging::event("Serving user={} from={} docroot={} command={}", logging::told(user),
                 logging::told(env::get("SSH_CONNECTION").value_or("-")), logging::told(access.areas[0].path),
                 logging::escape(line.substr(1)));
  child::Program served;
  served.argv = words;
  served.environment = environment();
  served.environment.push_back("USER=" + user);
  served.environment.push_back("HOME=" + access.areas[0].path);
  served.argv[0] = program;
  add_options(served.argv, access);
  confine_to(program, std::move(places), access, reach_of(program, words));
  // Descriptors that we inherited may lead anywhere.
  if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) tool::fail_errno(tool::os, "close descriptors");
  child::replace(served);
}

}  // namespace aspshell
