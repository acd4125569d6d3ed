// who/file_access: which docroot and rights are in force, and where the commands run.
#include "who/file_access.h"

#include <doctest/doctest.h>

#include "base/accounts.h"
#include "config/config.h"
#include "config/xml.h"

namespace {

file_access::Access of_root(const std::string& server, const std::string& standard, const std::string& user = "",
                            const std::string& group = "") {
  return file_access::of_user(config::xml::parse("<CONF><server>" + server + "</server><default>" + standard +
                                                     "</default><aaa><realms><realm><users><user><name>root</name>" +
                                                     user + "</user></users><groups><group><name>root</name>" + group +
                                                     "</group></groups></realm></realms></aaa></CONF>",
                                                 "test"),
                              "root");
}

std::string access(const std::string& paths, const std::string& more = "") {
  return "<file_system><access><paths>" + paths + "</paths>" + more + "</access></file_system>";
}

std::string path(const std::string& absolute, const std::string& more = "") {
  return "<path><absolute>" + absolute + "</absolute>" + more + "</path>";
}

const std::string kProxy = "<rproxy><enabled>true</enabled></rproxy>";

}  // namespace

TEST_CASE("file_access: commands run here where there is a docroot and no proxy, or where the role says so") {
  CHECK_FALSE(of_root("", "").here);
  CHECK_FALSE(of_root("", access(path(""))).here);
  CHECK(of_root("", access(path("/srv"))).here);
  CHECK(of_root("<rproxy><enabled>false</enabled></rproxy>", access(path("/srv"))).here);
  CHECK_FALSE(of_root("<rproxy><enabled>false</enabled><rules><rule/></rules></rproxy>", access(path("/srv"))).here);
  CHECK_FALSE(of_root(kProxy, access(path("/srv"))).here);
  CHECK_FALSE(of_root("", access(path("/srv"), "<role>proxy</role>")).here);
  CHECK(of_root(kProxy, access(path("/srv")), access("", "<role>node</role>")).here);
  CHECK_FALSE(of_root(kProxy, access(path("/srv"), "<role>node</role>"), access("", "<role>proxy</role>")).here);
  CHECK(of_root(kProxy, access("", "<role>node</role>")).here);
  CHECK(of_root("", "").landlock_required);
  CHECK_FALSE(of_root("", access("", "<confinement>if_possible</confinement>")).landlock_required);
}

TEST_CASE("file_access: a user comes before a group, and a group before all") {
  const auto docroot = [](const file_access::Access& found) { return found.areas.empty() ? "" : found.areas[0].path; };
  CHECK(docroot(of_root("", access(path("/all")), access(path("/user")), access(path("/group")))) == "/user");
  CHECK(docroot(of_root("", access(path("/all")), "", access(path("/group")))) == "/group");
  CHECK(docroot(of_root("", access(path("/all")), access(path("")), access(path("")))) == "/all");
  CHECK(docroot(of_root("", access(path("/$(user)/$(name)/x")))) == "/root/root/x");
  CHECK(docroot(of_root("", access(path("$(home)/x")))) == accounts::home_of("root") + "/x");
}

TEST_CASE("file_access: what is not given is allowed, and each right is the first that is given") {
  const auto rights = [](const file_access::Area& area) {
    return std::string(area.read ? "r" : "-") + (area.write ? "w" : "-") + (area.list ? "l" : "-");
  };
  const std::string no_write = "<write_allowed>false</write_allowed>";
  CHECK(rights(of_root("", access(path("/a"))).areas.at(0)) == "rwl");
  CHECK(rights(of_root("", access(path("/a", no_write + "<dir_allowed></dir_allowed>"))).areas.at(0)) == "r-l");
  CHECK(rights(of_root("", access(path("/a", no_write)), access(path("/b"))).areas.at(0)) == "r-l");
  CHECK(rights(of_root("", access(path("/a")), access("<path>" + no_write + "</path>")).areas.at(0)) == "r-l");
  CHECK(rights(of_root("", access(path("/a", "<write_allowed>true</write_allowed>")),
                       access("<path>" + no_write + "</path>"))
                   .areas.at(0)) == "r-l");
  const auto two = of_root("", access(path("/a", no_write) + path("/a/in", "<read_allowed>false</read_allowed>")));
  REQUIRE(two.areas.size() == 2);
  CHECK(rights(two.areas[0]) == "r-l");
  CHECK(two.areas[1].path == "/a/in");
  CHECK(rights(two.areas[1]) == "-wl");
}

TEST_CASE("file_access: transfers may be forbidden by direction") {
  const auto found = of_root("", "<authorization><transfer><in><value>token</value></in><out><value>deny</value></out>"
                                 "</transfer></authorization>");
  CHECK(found.uploads == file_access::Transfer::token);
  CHECK(found.downloads == file_access::Transfer::deny);
  CHECK(of_root("", "").uploads == file_access::Transfer::allow);
}
