#include "base/whole_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace whole_file {
namespace {

// Deletes the file unless it got its place.
class Beside {
 public:
  Beside(int directory, std::string name) : directory_(directory), name_(std::move(name)) { remove(); }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() { remove(); }

  Fd create() const {
    return Fd(::openat(directory_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  }
  bool take_place_of(const std::string& name) {
    if (::renameat(directory_, name_.c_str(), directory_, name.c_str()) != 0) return false;
    name_.clear();
    return true;
  }

 private:
  void remove() const {
    if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
  }

  int directory_;
  std::string name_;
};

}  // namespace

// The group is set before the mode, since changing it may clear bits of the mode.
void write(const std::string& name, std::string_view text, const Manner& manner) {
  const std::string what = "write " + (manner.shown.empty() ? name : manner.shown);
  Beside beside(manner.directory, manner.beside.empty() ? name + ".new" : manner.beside);
  const Fd file = beside.create();
  if (!file) tool::fail_errno(tool::os, what);
  try {
    io::write_all(file.get(), text);
  } catch (const tool::Failure& failure) {
    throw tool::Failure(failure.code(), fmt::format("{}: {}", what, failure.what()));
  }
  const bool done = (!manner.group || ::fchown(file.get(), static_cast<uid_t>(-1), *manner.group) == 0) &&
                    ::fchmod(file.get(), manner.mode) == 0 && (!manner.durable || ::fsync(file.get()) == 0) &&
                    beside.take_place_of(name);
  if (!done) tool::fail_errno(tool::os, what);
}

}  // namespace whole_file
