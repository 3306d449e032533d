package javax.annotation;

/** Stands for the one that left the JDK; generated code names it and nothing reads it. */
public @interface Generated {
  String[] value();

  String date() default "";

  String comments() default "";
}
