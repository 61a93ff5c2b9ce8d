# Debian's CAF 0.17.6 ships no CMake package. Gives CAF::core, and CAF::io / CAF::openssl if present.
find_path(CAF_INCLUDE_DIR caf/actor_system.hpp)
foreach(component core io openssl)
  find_library(CAF_${component}_LIBRARY caf_${component})
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS CAF_core_LIBRARY CAF_INCLUDE_DIR)
if(CAF_FOUND AND NOT TARGET CAF::core)
  foreach(component core io openssl)
    if(CAF_${component}_LIBRARY)
      add_library(CAF::${component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${component} PROPERTIES
        IMPORTED_LOCATION ${CAF_${component}_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR})
    endif()
  endforeach()
  target_link_libraries(CAF::core INTERFACE Threads::Threads)
endif()
mark_as_advanced(CAF_INCLUDE_DIR CAF_core_LIBRARY CAF_io_LIBRARY CAF_openssl_LIBRARY)
