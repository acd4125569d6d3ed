// Holes of sshd, by its version.
#include <algorithm>
#include <optional>
#include <regex>

#include <fmt/core.h>

#include "base/cut.h"
#include "doctor.h"
#include "security.h"

namespace security {
namespace {

constexpr char kSshd[] = "/usr/sbin/sshd";
constexpr char kChangeLog[] = "/usr/share/doc/openssh-server/changelog.Debian.gz";

// Only what lets somebody in, shuts others out, or undoes what the suite's settings rely on. 8.5p1 is 80501. `packages`
// are Debian's own mended ones.
struct Hole {
  const char* cve;
  long first;
  long mended;
  std::vector<const char*> packages;
  const char* meaning;
};
const std::vector<Hole>& holes() {
  static const std::vector<Hole> all{
      {"CVE-2018-15473", 0, 70800, {}, "lets anybody find out which accounts there are"},
      {"CVE-2023-48795",
       0,
       90600,
       {"9.2p1-2+deb12u2", "8.4p1-5+deb11u3"},
       "(Terrapin) lets somebody on the way weaken a connection"},
      {"CVE-2024-6387", 80501, 90800, {"9.2p1-2+deb12u3"}, "(regreSSHion) may let anybody in as root"},
      {"CVE-2025-26466", 90501, 90902, {}, "lets anybody use up memory and time"},
  };
  return all;
}
const Hole kForwarding{"CVE-2025-32728", 0, 100000, {"9.2p1-2+deb12u6"}, ""};

struct Version {
  long number = 0;      // 0: not OpenSSH's
  std::string banner;   // "OpenSSH_9.2p1 Debian-2"
  std::string package;  // Debian's version of the package, without epoch, if that is what is installed
};

struct Banner {
  std::string text;
  std::string number;  // "9.2"
  std::string patch;   // may be empty
};

std::optional<Banner> banner_of(const char* program) {
  static const std::regex kForm("OpenSSH_([0-9]{1,4}\\.[0-9]{1,4})(p([0-9]{1,4}))?[^,\\n]*");
  const auto answer = doctor::ask({program, "-V"});  // an sshd before 9.2 has no -V, but names itself when it says so
  const std::string said = answer.err + answer.out;
  std::smatch found;
  if (!std::regex_search(said, found, kForm)) return std::nullopt;
  return Banner{found[0], found[1], found[3]};
}

std::string installed_package(const std::string& number) {
  std::string package = doctor::ask({"/usr/bin/dpkg-query", "-W", "-f", "${Version}", "openssh-server"}).out;
  if (const auto colon = package.find(':'); colon != package.npos) package.erase(0, colon + 1);
  const bool is_it = package.starts_with(number + "p") || package.starts_with(number + "-");
  return is_it ? package : "";
}

const Version& version() {
  static const Version known = [] {
    Version found;
    const auto own = banner_of(kSshd);
    if (!own) return found;
    found.banner = own->text;
    std::string patch = own->patch;
    // Newer ones leave out the patch level and the distribution, which ssh has.
    const auto client = banner_of("/usr/bin/ssh");
    if (patch.empty() && client && client->number == own->number) {
      found.banner = client->text;
      patch = client->patch;
    }
    const auto dot = own->number.find('.');
    found.number = std::stol(own->number.substr(0, dot)) * 10000 + std::stol(own->number.substr(dot + 1)) * 100 +
                   (patch.empty() ? 1 : std::stol(patch));
    found.package = installed_package(own->number);
    return found;
  }();
  return known;
}

bool names(const std::string& log, const std::string& cve) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (auto at = log.find(cve); at != log.npos; at = log.find(cve, at + 1)) {
    if (at + cve.size() == log.size() || !is_digit(log[at + cve.size()])) return true;
  }
  return false;
}

// Has the distribution put the fix into its package?
bool is_mended(const Hole& hole) {
  const std::string& package = version().package;
  if (package.empty()) return names(doctor::ask({"/usr/bin/rpm", "-q", "--changelog", "openssh-server"}).out, hole.cve);
  for (const std::string fix : hole.packages) {
    const bool same_release = package.starts_with(fix.substr(0, fix.find('-') + 1));
    if (same_release && doctor::ask({"/usr/bin/dpkg", "--compare-versions", package, "ge", fix}).well()) return true;
  }
  return names(doctor::ask({"/usr/bin/gzip", "-dcf", kChangeLog}).out, hole.cve);
}

bool is_open(const Hole& hole) {
  return version().number >= hole.first && version().number < hole.mended && !is_mended(hole);
}

}  // namespace

void check_sshd_version(Findings& found) {
  if (version().number == 0) {
    found.push_back({"not_judged", false, kSshd, "it does not name a version of OpenSSH",
                     "sshd -V; ssh -V  # look for known holes of this version yourself"});
    return;
  }
  const std::string package = version().package.empty() ? "" : fmt::format(" (package {})", version().package);
  for (const auto& hole : holes()) {
    if (!is_open(hole)) continue;
    found.push_back(
        {"sshd_version", false, kSshd,
         fmt::format(
             "{}{}: {} {}; a warning, not proof: judged by its version only, and the distribution may have fixed it",
             version().banner, package, hole.cve, hole.meaning),
         "apt-get update && apt-get install --only-upgrade openssh-server"});
  }
}

bool forwarding_is_disabled_wholly() { return !is_open(kForwarding); }

}  // namespace security
