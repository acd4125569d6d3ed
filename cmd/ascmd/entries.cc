#include "entries.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "trouble.h"

namespace ascmd {

void for_each_name(const Fd& directory, const std::function<void(const char* name)>& each) {
  const int copy = ::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) throw Trouble();
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(copy), ::closedir);
  if (!list) throw Trouble();
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(list.get());
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") each(entry->d_name);
  }
  if (errno != 0) throw Trouble();
}

Fd open_directory(int parent, const char* name) {
  return Fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
}

}  // namespace ascmd
