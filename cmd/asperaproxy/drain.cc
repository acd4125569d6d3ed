#include <unistd.h>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "session/spool.h"
#include "verbs.h"

namespace asperaproxy {

int drain() {
  const bool already = session::spool::drained();
  session::spool::set_drained(true);
  const auto left = session::spool::living().size();
  if (!already) logging::event("Drained: no new sessions; {} living", left);
  io::write_all(STDOUT_FILENO,
                fmt::format("drained: no new sessions are taken; {} {} left\n", left, left == 1 ? "is" : "are"));
  return tool::yes;
}

int undrain() {
  const bool was = session::spool::drained();
  session::spool::set_drained(false);
  if (was) logging::event("Undrained: new sessions are taken again");
  io::write_all(STDOUT_FILENO, "undrained: new sessions are taken\n");
  return tool::yes;
}

}  // namespace asperaproxy
