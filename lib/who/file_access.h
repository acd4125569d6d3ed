// who/file_access: what an account may do with the files of this host: its docroot, and whether its commands run here,
// as on a transfer node, or inside, as on a proxy.
//
//   <file_system><access><paths><path><absolute>/sandbox/$(name)</absolute> <write_allowed>false</write_allowed> …
//
// Each value is the first that is given: for the user, for one of the user's groups, for all. Source: the guide's
// chapter "Securing the SSH Server" (docroot configuration options).
#pragma once

#include <string>
#include <vector>

#include "config/schema.h"
#include "config/xml.h"

namespace file_access {

// A <path>, expanded.
struct Area {
  std::string path;  // as the file has it: absolute, or a URL
  bool read = true;
  bool write = true;
  bool list = true;
};

enum class Transfer { allow, deny, token };

struct Access {
  bool here = false;              // the account's commands run on this host
  std::vector<Area> areas;        // the first one is the docroot; empty: none
  bool landlock_required = true;  // otherwise a kernel without it does, too
  Transfer uploads = Transfer::allow;
  Transfer downloads = Transfer::allow;
};

// The access that `document`, a valid aspera.conf, gives `user`, who has an account. Failure{71}.
Access of_user(const config::xml::Element& document, const std::string& user);

// What keeps the account in its docroot:
//
//   kernel     Landlock, on this host
//   programs   asp-cp and ascmd themselves, on this host, whose kernel has no Landlock
//   refusal    nothing is run: this host's kernel has no Landlock, or the docroot is not a directory
//   server     the internal server, if anything; nothing on this host
//
// Empty: there is no docroot.
std::string enforced_by(const Access& access);

// Where values for `user` may stand, in the order of precedence: <user>, each of the user's groups in the order of the
// file, <default>.
std::vector<config::schema::Elements> sections(const config::xml::Element& document, const std::string& user);

// All <user>, and all <group>.
config::schema::Elements all_users(const config::xml::Element& document);
config::schema::Elements all_groups(const config::xml::Element& document);
std::string name_of(const config::xml::Element& user_or_group);

// A docroot with symbolic links resolved as far as it exists; a URL is not changed.
std::string canonical(const std::string& docroot);

// `path` with $(user), $(name) and a leading $(home) replaced. Failure{71} when $(home) is wanted and there is no such
// account.
std::string expand(const std::string& path, const std::string& user);

}  // namespace file_access
