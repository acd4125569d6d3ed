// trust: enrols the host keys of internal servers.
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/whole_file.h"
#include "config/config.h"
#include "confirm.h"
#include "host_keys.h"
#include "session/ending.h"
#include "session/spool.h"
#include "ssh/upstream_host_key.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

using host_keys::Entry;
using host_keys::Key;
using known_hosts::Marker;

constexpr char kTrustUsage[] = "asperaproxy trust [--fingerprint SHA256:...] [--replace] [HOST[:PORT]]";

struct AskedTrust {
  std::optional<HostPort> host;
  std::string fingerprint;  // empty: ask on the terminal
  bool replace = false;
};

HostPort with_port(HostPort host) {
  if (host.port == 0) host.port = 22;
  return host;
}

AskedTrust parse_trust(const std::vector<std::string>& words) {
  static const option kOptions[] = {{"fingerprint", required_argument, nullptr, 'f'},
                                    {"replace", no_argument, nullptr, 'r'},
                                    {nullptr, 0, nullptr, 0}};
  std::vector<char*> argv{const_cast<char*>("trust")};
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  const int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  AskedTrust asked;
  ::opterr = 0;
  ::optind = 0;
  for (int letter; (letter = ::getopt_long(argc, argv.data(), ":", kOptions, nullptr)) != -1;) {
    if (letter == ':') options::fail_usage(kTrustUsage, "--fingerprint needs SHA256:...");
    if (letter == '?')
      options::fail_usage(kTrustUsage,
                          fmt::format("{} is not an option", argv[static_cast<std::size_t>(::optind) - 1]));
    if (letter == 'r') asked.replace = true;
    if (letter != 'f') continue;
    asked.fingerprint = ::optarg;
    if (!host_keys::is_fingerprint(asked.fingerprint)) {
      options::fail_usage(
          kTrustUsage, fmt::format("--fingerprint {}: expected SHA256: and 43 characters, as ssh-keygen -lf prints it",
                                   asked.fingerprint));
    }
  }
  if (argc - ::optind > 1) options::fail_usage(kTrustUsage, "one host can be given");
  if (argc - ::optind == 1) {
    const auto host = HostPort::parse(argv[static_cast<std::size_t>(::optind)]);
    if (!host)
      options::fail_usage(kTrustUsage, fmt::format("{}: not a host", argv[static_cast<std::size_t>(::optind)]));
    asked.host = with_port(*host);
  } else if (!asked.fingerprint.empty()) {
    options::fail_usage(kTrustUsage, "--fingerprint needs HOST");
  }
  return asked;
}

// Changes the file in one step for all of its readers.
class KnownHosts {
 public:
  // Waits for other changes by this program, at most 10 s (Failure{75}).
  explicit KnownHosts(const std::string& path) : path_(resolved(path)) {
    // Where nobody else can take it: whoever may read a file or a directory may lock it.
    session::spool::prepare();
    const std::string lock = fmt::format("{}/known_hosts_lock", paths::kRun);
    lock_ = fd::open(lock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    fd::lock(lock_.get(), lock);
    text_ = host_keys::load(path_);
  }

  std::string& text() { return text_; }

  void write() const {
    if (text_.size() > known_hosts::kMaxBytes)
      throw tool::Failure(tool::untrusted, fmt::format("write {}: more than {} bytes", path_, known_hosts::kMaxBytes));
    whole_file::write(path_, text_, {.mode = 0644, .durable = true});
  }

 private:
  // A symbolic link is kept.
  static std::string resolved(const std::string& path) {
    char real[PATH_MAX];
    return ::realpath(path.c_str(), real) ? real : path;
  }

  std::string path_;
  Fd lock_;
  std::string text_;
};

// The entries of known_hosts that concern one key that a server shows.
struct Offered {
  Key key;
  std::string fingerprint;
  bool enrolled = false;
  std::vector<Entry> in_the_way;  // another key of its type, or this one as revoked
};

Offered compare(const Key& key, const std::vector<Entry>& entries) {
  Offered offered{key, host_keys::fingerprint(key), false, {}};
  offered.enrolled = known_hosts::judge(entries, key) == known_hosts::Verdict::enrolled;
  for (const auto& entry : entries) {
    const bool other = entry.marker == Marker::none && entry.key.type == key.type && entry.key != key;
    const bool revoked = entry.marker == Marker::revoked && entry.key == key;
    if (other || revoked) offered.in_the_way.push_back(entry);
  }
  return offered;
}

std::string line_text(const std::string& path, const Entry& entry) {
  const char* const what = entry.marker == Marker::revoked ? "says that it is revoked" : "has another one";
  return fmt::format("{}:{} {} ({} {})", path, entry.line, what, entry.key.type, host_keys::fingerprint(entry.key));
}

bool may_be_old(const config::Rproxy& rproxy, const HostPort& host) {
  return std::any_of(rproxy.rules.begin(), rproxy.rules.end(), [&](const config::Rule& rule) {
    return rule.old_algorithms && std::find(rule.hosts.begin(), rule.hosts.end(), host) != rule.hosts.end();
  });
}

class Enrolment {
 public:
  Enrolment(const HostPort& host, const AskedTrust& asked, const config::Rproxy& rproxy)
      : name_(upstream::known_hosts_name(host)), asked_(asked), path_(rproxy.known_hosts) {
    const auto entries = known_hosts::find(host_keys::load(path_), name_);
    for (const auto& key : host_keys::scan(host, may_be_old(rproxy, host)))
      offered_.push_back(compare(key, entries.of_host));
  }

  // False: it was refused on the terminal.
  bool run() {
    if (!asked_.fingerprint.empty()) choose();
    else show();
    std::erase_if(offered_, [](const Offered& offered) { return offered.enrolled; });
    if (offered_.empty()) {
      say(fmt::format("{}: nothing to do, it is enrolled\n", name_));
      return true;
    }
    refuse_conflicts();
    if (asked_.fingerprint.empty() &&
        !confirm(fmt::format("Enrol {} for {} in {}? (yes/no) ", offered_.size() == 1 ? "it" : "them", name_, path_),
                 "give --fingerprint SHA256:...")) {
      say(fmt::format("{}: not enrolled\n", name_));
      return false;
    }
    enrol();
    return true;
  }

 private:
  void choose() {
    std::string shown;
    for (const auto& offered : offered_)
      shown += fmt::format("{}{} {}", shown.empty() ? "" : ", ", offered.key.type, offered.fingerprint);
    std::erase_if(offered_, [&](const Offered& offered) { return offered.fingerprint != asked_.fingerprint; });
    if (offered_.empty()) {
      throw tool::Failure(tool::untrusted,
                          fmt::format("trust {}: it has no key with that fingerprint, but {}", name_, shown));
    }
  }

  void show() const {
    std::string text = name_ + " shows\n";
    for (const auto& offered : offered_) {
      text +=
          fmt::format("  {:<20} {}{}\n", offered.key.type, offered.fingerprint, offered.enrolled ? "  (enrolled)" : "");
    }
    say(text + "On its own console, this prints what it really has:\n  for key in /etc/ssh/ssh_host_*_key.pub; do "
               "ssh-keygen -lf $key; done\n");
  }

  void refuse_conflicts() const {
    for (const auto& offered : offered_) {
      for (const auto& entry : offered.in_the_way) {
        const bool revoked = entry.marker == Marker::revoked;
        if (asked_.replace && !revoked) continue;
        throw tool::Failure(
            tool::untrusted,
            fmt::format("trust {}: it shows {} {}, but {}{}", name_, offered.key.type, offered.fingerprint,
                        line_text(path_, entry), revoked ? "" : "; if you know that the change is right: --replace"));
      }
    }
  }

  // The entries that were judged must still be there.
  void enrol() const {
    KnownHosts file(path_);
    std::vector<Entry> old;
    for (const auto& offered : offered_) old.insert(old.end(), offered.in_the_way.begin(), offered.in_the_way.end());
    std::sort(old.begin(), old.end(), [](const Entry& one, const Entry& other) { return one.line > other.line; });
    const auto now = known_hosts::find(file.text(), name_);
    for (const auto& offered : offered_) {
      const auto again = compare(offered.key, now.of_host);
      if (again.enrolled || again.in_the_way.size() != offered.in_the_way.size()) {
        throw tool::Failure(tool::temporary, fmt::format("change {}: somebody else did so just now; try again", path_));
      }
    }
    for (const auto& entry : old) {
      const auto less = host_keys::without(file.text(), entry, name_);
      if (!less)
        throw tool::Failure(tool::untrusted, fmt::format("change {}:{}: it names {} by a pattern; edit it by hand",
                                                         path_, entry.line, name_));
      file.text() = *less;
    }
    for (const auto& offered : offered_) file.text() = host_keys::with(file.text(), name_, offered.key);
    file.write();
    report(old);
  }

  void report(const std::vector<Entry>& old) const {
    const auto by = session::ending::invoker();
    std::string text;
    for (const auto& entry : old) {
      logging::event("Removed the host key of {}: {} {} by={} uid={}", name_, entry.key.type,
                     host_keys::fingerprint(entry.key), logging::field(by.name), by.uid);
      text += fmt::format("removed: {} {} {}\n", name_, entry.key.type, host_keys::fingerprint(entry.key));
    }
    for (const auto& offered : offered_) {
      logging::event("Enrolled the host key of {}: {} {} by={} uid={}", name_, offered.key.type, offered.fingerprint,
                     logging::field(by.name), by.uid);
      text += fmt::format("enrolled: {} {} {}\n", name_, offered.key.type, offered.fingerprint);
    }
    say(text);
  }

  std::string name_;
  const AskedTrust& asked_;
  std::string path_;
  std::vector<Offered> offered_;
};

// Every server that aspera.conf leads to and that sessions would refuse, because known_hosts lacks its
// key.
std::vector<HostPort> servers_without_key(const config::Rproxy& rproxy) {
  const std::string text = host_keys::load(rproxy.known_hosts);
  const auto enrolled = [&](const HostPort& host) {
    return !known_hosts::types(known_hosts::find(text, upstream::known_hosts_name(host)).of_host).empty();
  };
  std::vector<HostPort> hosts;
  for (const auto& rule : rproxy.rules) {
    for (const auto& host : rule.hosts) {
      if (std::find(hosts.begin(), hosts.end(), host) == hosts.end() && !enrolled(host)) hosts.push_back(host);
    }
  }
  return hosts;
}

}  // namespace

int trust(const std::vector<std::string>& words) {
  const AskedTrust asked = parse_trust(words);
  require_root();
  const auto rproxy = config::load(paths::kConfig, config::Author::root).rproxy;
  if (asked.host) return Enrolment(*asked.host, asked, rproxy).run() ? tool::yes : tool::no;
  const auto hosts = servers_without_key(rproxy);
  if (hosts.empty())
    say(fmt::format("nothing to do: {} has a key for each host of {}\n", rproxy.known_hosts, paths::kConfig));
  int result = tool::yes;
  for (const auto& host : hosts) {
    try {
      if (!Enrolment(host, asked, rproxy).run() && result == tool::yes) result = tool::no;
    } catch (const tool::Failure& failure) {  // the others may answer
      if (failure.code() == tool::usage) throw;
      std::fputs(fmt::format("asperaproxy: {}\n", logging::escape(failure.what())).c_str(), stderr);
      result = failure.code();
    }
  }
  return result;
}

}  // namespace asperaproxy
