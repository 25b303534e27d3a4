# Fuzzers need clang's runtime whatever compiler builds the rest, so the pager's sources are compiled
# once more with it, instrumented.

find_program(FUZZ_CLANG NAMES clang clang-19 clang-16 clang-15 clang-14)
set(fuzz_dir ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
set(fuzz_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
set(fuzz_flags -std=gnu11 -O1 -g -D_GNU_SOURCE -DPC_CHECKS -I${PROJECT_SOURCE_DIR}/include
	-I${PROJECT_SOURCE_DIR}/pagerd -I${LZ4_INCLUDE})
set(fuzz_seeded sh -c "exec \"$0\" \${TEST_SEED:+-seed=$TEST_SEED} \"$@\"")
set(fuzz_works FALSE)
if(FUZZ_CLANG)
	file(WRITE ${fuzz_dir}/probe.c
		"int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { (void)d; (void)n; return 0; }")
	execute_process(COMMAND ${FUZZ_CLANG} -fsanitize=fuzzer,address ${fuzz_dir}/probe.c
		-o ${fuzz_dir}/probe RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
	if(status EQUAL 0)
		set(fuzz_works TRUE)
	endif()
endif()

set(fuzz_objects "")
if(fuzz_works)
	get_target_property(sources predicomp_pager SOURCES)
	get_target_property(report predicomp_report SOURCES)
	list(FILTER report INCLUDE REGEX "/report/")
	list(FILTER sources EXCLUDE REGEX "/base/mem\\.c$")
	foreach(source ${sources} ${report})
		file(RELATIVE_PATH object ${PROJECT_SOURCE_DIR}/pagerd ${source})
		string(REPLACE "/" "_" object ${object})
		set(object ${fuzz_dir}/obj/${object}.o)
		add_custom_command(OUTPUT ${object}
			COMMAND ${FUZZ_CLANG} ${fuzz_flags} -ffreestanding -fsanitize=fuzzer-no-link
				${fuzz_sanitize} -MD -MF ${object}.d -c ${source} -o ${object}
			DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
		list(APPEND fuzz_objects ${object})
	endforeach()
	file(MAKE_DIRECTORY ${fuzz_dir}/obj)
	set(fuzz_archive ${fuzz_dir}/libfuzzed.a)
	add_custom_command(OUTPUT ${fuzz_archive}
		COMMAND ${CMAKE_AR} cr ${fuzz_archive} ${fuzz_objects}
		DEPENDS ${fuzz_objects} VERBATIM)
	add_custom_target(fuzz_archive DEPENDS ${fuzz_archive})

	# For tests/sabotage/run, which plants bugs for the fuzzers to find: a word a line.
	list(JOIN fuzz_flags "\n" words)
	list(JOIN fuzz_sanitize "\n" sanitize)
	file(WRITE ${fuzz_dir}/compile "${FUZZ_CLANG}\n${words}\n${sanitize}\n")
	file(WRITE ${fuzz_dir}/archives "${fuzz_archive}\n${LZ4_STATIC}\n")
	predicomp_test(planted fuzz 300 ${CMAKE_CURRENT_SOURCE_DIR}/sabotage/run ${PROJECT_BINARY_DIR}
		--only B12)
endif()

foreach(source ${fuzz_sources})
	get_filename_component(name ${source} NAME_WE)
	if(NOT fuzz_works)
		predicomp_test(${name} fuzz 10 sh -c
			"echo 'SKIP: clang with libFuzzer is missing: apt-get install clang libclang-rt-dev'; exit 77")
		continue()
	endif()
	set(program ${fuzz_dir}/${name})
	add_custom_command(OUTPUT ${program}
		COMMAND ${FUZZ_CLANG} ${fuzz_flags} -fsanitize=fuzzer ${fuzz_sanitize}
			-MD -MF ${program}.d ${source} ${fuzz_archive} ${LZ4_STATIC} -o ${program}
		DEPENDS ${source} ${fuzz_archive} DEPFILE ${program}.d VERBATIM)
	add_custom_target(fuzz_${name} ALL DEPENDS ${program})
	add_dependencies(fuzz_${name} fuzz_archive)

	# What the fuzzer finds is kept in the build; seeds lie beside the source.
	set(found ${fuzz_dir}/corpus/${name})
	file(MAKE_DIRECTORY ${found})
	set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
	if(NOT IS_DIRECTORY ${seeds})
		set(seeds "")
	endif()
	math(EXPR timeout "${FUZZ_SECONDS} + 60")
	# libFuzzer ends with 77 when it has found something, which is a skip to ctest.
	predicomp_test(${name} fuzz ${timeout} ${fuzz_seeded} ${program} -max_total_time=${FUZZ_SECONDS} -timeout=10
		-error_exitcode=1 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=${fuzz_dir}/ ${found} ${seeds})
endforeach()
