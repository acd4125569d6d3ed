#include "base/uuid.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"

namespace uuid {

std::string random() {
  const Fd source = fd::open("/proc/sys/kernel/random/uuid", O_RDONLY);
  return io::read_all(source.get(), 64, "uuid").substr(0, 36);
}

bool is_valid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace uuid
