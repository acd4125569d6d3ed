#include "who/given_uids.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/whole_file.h"

namespace given_uids {
namespace {

constexpr char kFolder[] = "/var/lib/sallyport";
constexpr char kName[] = "highest_uid";
constexpr uid_t kMost = 4294967293;  // the last two mean "none"

std::string path() { return fmt::format("{}/{}", kFolder, kName); }

}  // namespace

std::optional<uid_t> highest() {
  const Fd file(::open(path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) tool::fail_errno(tool::os, "open " + path());
  std::string text = io::read_all(file.get(), 64, path());
  if (!text.empty() && text.back() == '\n') text.pop_back();
  const auto number = parse_decimal(text, 0, kMost);
  if (!number) throw tool::Failure(tool::bad_input, path() + ": is not a number");
  return static_cast<uid_t>(*number);
}

// The folder is root's alone, so that nobody else can hold its lock.
void note(uid_t uid) {
  if (::mkdir(kFolder, 0700) != 0 && errno != EEXIST) tool::fail_errno(tool::os, std::string("make ") + kFolder);
  const Fd folder = fd::open(kFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  fd::lock(folder.get(), kFolder);
  const auto noted = highest();
  if (noted && *noted >= uid) return;
  whole_file::write(kName, fmt::format("{}\n", uid),
                    {.mode = 0644, .durable = true, .directory = folder.get(), .shown = path()});
}

}  // namespace given_uids
