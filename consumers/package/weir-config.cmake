# find_package(weir): plugins for weir-consumer.
#   weir_plugin(NAME SOURCES …)  builds NAME.so and installs it where weir-consumer looks
#   Weir::plugin                 the headers <weir/plugin.h> …
#   Weir::testhost               <weir/testhost.h> with its library
include(${CMAKE_CURRENT_LIST_DIR}/weir-targets.cmake)

function(weir_plugin name)
  add_library(weir-plugin-${name} MODULE ${ARGN})
  set_target_properties(weir-plugin-${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)
  target_link_libraries(weir-plugin-${name} PRIVATE Weir::plugin)
  # Beside this package, whatever CMAKE_INSTALL_PREFIX is.
  get_filename_component(folder ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../weir/plugins ABSOLUTE)
  install(TARGETS weir-plugin-${name} LIBRARY DESTINATION ${folder})
endfunction()
